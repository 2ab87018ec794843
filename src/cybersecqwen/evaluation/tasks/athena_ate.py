"""AthenaBench ATE: the one ATT&CK technique that a scenario shows."""

from __future__ import annotations

from pathlib import Path

from cybersecqwen.core.records import Question
from cybersecqwen.evaluation.tasks.base import LoadOptions, Task
from cybersecqwen.sources.benchmarks import athena_bench


def _load(path: Path, options: LoadOptions) -> list[Question]:
    return athena_bench.read_questions(path, "ate")


TASK = Task(
    name="athena-ate",
    title="Scenario to ATT&CK technique (AthenaBench ATE)",
    kind="techniques",
    load=_load,
)
