"""The general check: what fine-tuning cost a model in arithmetic, formats, facts and the like."""

from __future__ import annotations

from pathlib import Path

from cybersecqwen.core.records import Question
from cybersecqwen.evaluation.general_check import SHIPPED, TASK_NAME, load_questions
from cybersecqwen.evaluation.tasks.base import LoadOptions, Task


def _load(path: Path, options: LoadOptions) -> list[Question]:
    return load_questions(path)


TASK = Task(
    name=TASK_NAME,
    title="General check (neutral prompts)",
    kind="text",
    load=_load,
    shipped=SHIPPED,
)
