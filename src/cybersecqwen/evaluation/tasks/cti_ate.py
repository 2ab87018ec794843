"""CTI-Bench ATE: the ATT&CK techniques that a text describes."""

from __future__ import annotations

from pathlib import Path

from cybersecqwen.core.records import Question
from cybersecqwen.evaluation.tasks.base import LoadOptions, Task
from cybersecqwen.sources.benchmarks import cti_bench


def _load(path: Path, options: LoadOptions) -> list[Question]:
    return cti_bench.read_questions(path, "ate")


TASK = Task(
    name="cti-ate",
    title="Text to ATT&CK techniques (CTI-Bench ATE)",
    kind="techniques",
    load=_load,
)
