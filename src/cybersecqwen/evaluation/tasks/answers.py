"""The bank of questions: answers with citations, judged by a rubric."""

from __future__ import annotations

from pathlib import Path

from cybersecqwen.core.records import Question
from cybersecqwen.evaluation.answer_bank import SHIPPED, TASK_NAME, load_questions
from cybersecqwen.evaluation.tasks.base import LoadOptions, Task


def _load(path: Path, options: LoadOptions) -> list[Question]:
    return load_questions(path)


TASK = Task(
    name=TASK_NAME,
    title="Bank of questions (answers with citations)",
    kind="text",
    load=_load,
    shipped=SHIPPED,
)
