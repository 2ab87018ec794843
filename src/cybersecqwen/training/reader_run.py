"""One run of the reader's training: read, fit, calibrate, try, write."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import msgspec

from cybersecqwen.core.errors import InputError
from cybersecqwen.training.reader import (
    Measured,
    ReaderRecipe,
    Score,
    calibrated,
    fit_reader,
    score_by,
    score_reader,
)


class QuizQuestion(msgspec.Struct, frozen=True):
    """What training reads of a line of a quiz (``corpus quiz`` makes them)."""

    id: str
    kind: str
    wording: str
    thinned: int
    question: str
    choices: tuple[str, ...]
    answer: int


class ReaderResults(msgspec.Struct, frozen=True):
    """What a run reached on pages that it did not train on.

    Attributes:
        temperature: Of the probabilities.
        scores: All validation questions; those of the wording held out; by how far they were
            thinned; by kind.
    """

    temperature: float
    scores: dict[str, Score]


def read_quiz(path: Path, recipe: ReaderRecipe) -> list[QuizQuestion]:
    """Read a quiz's file, in a drawn order, at most ``recipe.questions`` of them.

    Raises:
        InputError: The file is missing or a line is no question; the message names the line.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    decode = msgspec.json.Decoder(QuizQuestion).decode
    rows = []
    for number, line in enumerate(lines, 1):
        try:
            row = decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise InputError(f"{path}:{number}: no question of a quiz: {error}") from error
        if not 0 <= row.answer < len(row.choices) >= 2:
            raise InputError(f"{path}:{number}: {row.id}: the answer is no place of an option")
        rows.append(row)
    random.Random(recipe.seed).shuffle(rows)
    return rows[: recipe.questions] if recipe.questions else rows


def train_reader(
    train: Sequence[Measured],
    validation: Sequence[Measured],
    names: tuple[str, ...],
    recipe: ReaderRecipe,
    out: Path,
) -> ReaderResults:
    """Fit a reader and write it.

    The temperature is chosen on the validation questions, whose pages are not in training. The
    wording held out takes part in neither.

    Raises:
        InputError: There is nothing to train on.
    """
    held = recipe.held_out_wording
    seen = [q for q in validation if q.wording != held]
    network = fit_reader([q for q in train if q.wording != held], names, recipe)
    network = calibrated(network, seen)
    network.save(out)
    scores = {"all": score_reader(network, seen)}
    if held:
        unseen = [q for q in validation if q.wording == held]
        scores[f"wording {held}, held out"] = score_reader(network, unseen)
    scores |= score_by(network, seen, lambda q: f"thinned {q.thinned}")
    scores |= score_by(network, seen, lambda q: q.kind)
    return ReaderResults(network.temperature, scores)
