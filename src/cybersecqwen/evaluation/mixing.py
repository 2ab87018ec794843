"""How much of the embedded reader's opinion to mix into a language model's."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.prompts import LETTERS
from cybersecqwen.evaluation.log import Row, RunLog
from cybersecqwen.llm.choosing import mixed

WEIGHTS = tuple(float(f"{weight:.1f}") for weight in np.arange(0, 3.01, 0.1))
"""Exponents that are tried."""


class Mix(msgspec.Struct, frozen=True):
    """What a weight does on the questions that two logs answered.

    Attributes:
        n: Questions.
        weight: The exponent of the embedded reader's probabilities that makes the right answers
            likeliest.
        accuracy: Share right, 0 to 1, by weight.
        loss: Mean negative log-likelihood of the right answers, by weight.
        reader: Share that the embedded reader has right by itself.
    """

    n: int
    weight: float
    accuracy: dict[float, float]
    loss: dict[float, float]
    reader: float


def fit_mix(model: RunLog, reader: RunLog) -> Mix:
    """Fit the weight on questions of our own.

    Args:
        model: A language model's log, with nothing mixed in.
        reader: The embedded reader's log of the same questions.

    Raises:
        InputError: The logs have no question in common, or their answers have no probabilities.
    """
    others = {row.id: row for row in reader.rows}
    pairs = [(row, others[row.id]) for row in model.rows if row.id in others]
    if not pairs:
        raise InputError(f"{model.path} and {reader.path}: no question in common")
    shares = [(_shares(one), _shares(other), LETTERS.index(one.gold)) for one, other in pairs]
    accuracy, loss = {}, {}
    for weight in WEIGHTS:
        found = [(mixed(own, beside, weight), gold) for own, beside, gold in shares]
        accuracy[weight] = float(np.mean([_best(row) == gold for row, gold in found]))
        loss[weight] = float(np.mean([-math.log(row[gold]) for row, gold in found]))
    return Mix(
        n=len(pairs),
        weight=min(WEIGHTS, key=loss.__getitem__),
        accuracy=accuracy,
        loss=loss,
        reader=float(np.mean([_best(beside) == gold for _, beside, gold in shares])),
    )


def _shares(row: Row) -> list[float]:
    by_letter = dict(row.candidates)
    letters = LETTERS[: row.options]
    if set(by_letter) != set(letters):
        raise InputError(f"{row.id}: no probability for each of {row.options} options")
    return [by_letter[letter] for letter in letters]


def _best(shares: Sequence[float]) -> int:
    return max(range(len(shares)), key=shares.__getitem__)
