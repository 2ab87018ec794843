"""Our own multiple-choice questions: what ``corpus quiz`` makes."""

from __future__ import annotations

from pathlib import Path

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.prompts import LETTERS, option_lines
from cybersecqwen.core.records import Question
from cybersecqwen.core.rows import read_quiz_rows
from cybersecqwen.evaluation.tasks.base import LoadOptions, Task


def _load(path: Path, options: LoadOptions) -> list[Question]:
    questions = [
        Question(
            id=row.id,
            task="quiz",
            prompt=f"{row.question}\n\n{option_lines(row.choices)}\n\nAnswer with the letter.",
            gold=LETTERS[row.answer],
            choices=row.choices,
            source=row.page,
            text=row.question,
        )
        for _, row in read_quiz_rows(path)
    ]
    if not questions:
        raise InputError(f"{path}: no question")
    return questions


TASK = Task(
    name="quiz",
    title="Our own multiple choice (corpus quiz)",
    kind="choice",
    load=_load,
)
