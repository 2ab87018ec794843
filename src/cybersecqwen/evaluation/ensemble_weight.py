"""How much of the option ranker's opinion to mix into a language model's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from cybersecqwen.core.ensemble import mixed
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.prompts import LETTERS
from cybersecqwen.evaluation.log import LogRow, RunLog, write_log
from cybersecqwen.llm.multiple_choice import MIXED_WITH, mixed_with, ranked

WEIGHTS = tuple(float(f"{weight:.1f}") for weight in np.arange(0, 3.01, 0.1))
"""Exponents that are tried."""


class Mix(msgspec.Struct, frozen=True):
    """What a weight does on the questions that two logs answered.

    Attributes:
        n: Questions.
        weight: The exponent of the option ranker's probabilities that makes the right answers
            likeliest.
        accuracy: Share right, 0 to 1, by weight.
        loss: Mean negative log-likelihood of the right answers, by weight.
        reader: Share that the option ranker has right by itself.
    """

    n: int
    weight: float
    accuracy: dict[float, float]
    loss: dict[float, float]
    reader: float


def fit_mix(model: RunLog, reader: RunLog, weights: Sequence[float] = WEIGHTS) -> Mix:
    """Fit the weight on questions of our own, or see what one does.

    Args:
        model: A language model's log, with nothing mixed in.
        reader: The option ranker's log of the same questions.
        weights: Those to try; a single one leaves nothing to fit.

    Raises:
        InputError: The logs have no question in common, or their answers have no probabilities.
    """
    others = {row.id: row for row in reader.rows}
    pairs = [(row, others[row.id]) for row in model.rows if row.id in others]
    if not pairs:
        raise InputError(f"{model.path} and {reader.path}: no question in common")
    shares = [(_shares(one), _shares(other), LETTERS.index(one.gold)) for one, other in pairs]
    accuracy, loss = {}, {}
    for weight in weights:
        found = [(mixed(own, beside, weight), gold) for own, beside, gold in shares]
        accuracy[weight] = float(np.mean([_best(row) == gold for row, gold in found]))
        loss[weight] = float(np.mean([-math.log(row[gold]) for row, gold in found]))
    return Mix(
        n=len(pairs),
        weight=min(weights, key=loss.__getitem__),
        accuracy=accuracy,
        loss=loss,
        reader=float(np.mean([_best(beside) == gold for _, beside, gold in shares])),
    )


def write_mixed(model: RunLog, reader: RunLog, weight: float, output: Path) -> None:
    """Write the log that the language model's run would have written with that ``ranker_weight``.

    Args:
        model: Its log, with nothing mixed in.
        reader: The option ranker's log of the same questions over the same knowledge base.
        weight: Exponent of the option ranker's probabilities.
        output: File to write.

    Raises:
        InputError: The logs do not belong together, are unfinished, or have no probabilities.
    """
    for name in ("task", "questions_sha256", "knowledge_sha256"):
        if getattr(model.header, name) != getattr(reader.header, name):
            raise InputError(f"{model.path} and {reader.path} differ in {name}")
    if model.header.system.get(MIXED_WITH) != mixed_with(0):
        raise InputError(f"{model.path}: give a log of an open book with ranker_weight=0")
    others = {(row.id, row.trial): row for row in reader.rows}
    missing = model.missing + sum((row.id, row.trial) not in others for row in model.rows)
    if missing:
        raise InputError(f"{model.path} and {reader.path}: {missing} answers are missing")
    rows = [_mixed_row(row, others[row.id, row.trial], weight) for row in model.rows]
    system = model.header.system | {MIXED_WITH: mixed_with(weight)}
    write_log(output, msgspec.structs.replace(model.header, system=system), rows)


def _mixed_row(row: LogRow, reader: LogRow, weight: float) -> LogRow:
    found = mixed(_shares(row), _shares(reader), weight) if weight else _shares(row)
    candidates = ranked(found)
    best, confidence = candidates[0]
    return msgspec.structs.replace(
        row, output=best, reading=best, confidence=confidence, candidates=list(candidates)
    )


def _shares(row: LogRow) -> list[float]:
    by_letter = dict(row.candidates)
    letters = LETTERS[: row.options]
    if set(by_letter) != set(letters):
        raise InputError(f"{row.id}: no probability for each of {row.options} options")
    return [by_letter[letter] for letter in letters]


def _best(shares: Sequence[float]) -> int:
    return max(range(len(shares)), key=shares.__getitem__)
