"""AthenaBench MCQ (also called CKT): questions with five options."""

from __future__ import annotations

from pathlib import Path

from cybersecqwen.core.records import Question
from cybersecqwen.evaluation.tasks.base import LoadOptions, Task
from cybersecqwen.sources.benchmarks import athena_bench


def _load(path: Path, options: LoadOptions) -> list[Question]:
    return athena_bench.read_questions(path, "mcq")


TASK = Task(
    name="athena-mcq",
    title="CTI knowledge, five options (AthenaBench MCQ)",
    kind="choice",
    load=_load,
)
