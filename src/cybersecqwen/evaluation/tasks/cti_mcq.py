"""CTI-Bench MCQ: questions on ATT&CK, CWE, CAPEC and more, four options."""

from __future__ import annotations

from pathlib import Path

from cybersecqwen.core.records import Question
from cybersecqwen.evaluation.tasks.base import LoadOptions, Task
from cybersecqwen.sources.benchmarks import cti_bench


def _load(path: Path, options: LoadOptions) -> list[Question]:
    return cti_bench.read_questions(path, "mcq")


TASK = Task(
    name="cti-mcq",
    title="CTI knowledge, multiple choice (CTI-Bench MCQ)",
    kind="choice",
    load=_load,
)
