"""AthenaBench TAA: the group behind an anonymised incident."""

from __future__ import annotations

from pathlib import Path

from cybersecqwen.core.records import Question
from cybersecqwen.evaluation.tasks.base import LoadOptions, Task
from cybersecqwen.sources.benchmarks import athena_bench


def _load(path: Path, options: LoadOptions) -> list[Question]:
    return athena_bench.read_questions(path, "taa")


TASK = Task(
    name="athena-taa",
    title="Incident to threat actor (AthenaBench TAA)",
    kind="actor",
    load=_load,
)
