"""Our own multiple-choice questions: what ``corpus quiz`` makes."""

from __future__ import annotations

from pathlib import Path

import msgspec

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.files import read_rows
from cybersecqwen.core.prompts import LETTERS, option_lines
from cybersecqwen.core.records import Question
from cybersecqwen.evaluation.tasks.base import LoadOptions, Task


class _QuizRow(msgspec.Struct, frozen=True):
    id: str
    question: str
    choices: tuple[str, ...]
    answer: int
    page: str = ""


def _load(path: Path, options: LoadOptions) -> list[Question]:
    questions: dict[str, Question] = {}
    for number, row in read_rows(path, _QuizRow, "no question of a quiz"):
        if row.id in questions:
            raise InputError(f"{path}:{number}: id {row.id} is there already")
        if not 0 <= row.answer < len(row.choices) <= len(LETTERS) or len(row.choices) < 2:
            raise InputError(f"{path}:{number}: {row.id}: no answer among 2 to 10 options")
        questions[row.id] = Question(
            id=row.id,
            task="quiz",
            prompt=f"{row.question}\n\n{option_lines(row.choices)}\n\nAnswer with the letter.",
            gold=LETTERS[row.answer],
            choices=row.choices,
            source=row.page,
            text=row.question,
        )
    if not questions:
        raise InputError(f"{path}: no question")
    return list(questions.values())


TASK = Task(
    name="quiz",
    title="Our own multiple choice (corpus quiz)",
    kind="choice",
    load=_load,
)
