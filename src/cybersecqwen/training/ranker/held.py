"""Fits the decision whether a knowledge base answers a multiple-choice question.

A logistic regression with an L2 penalty. Questions that the pages answer and questions that they
do not weigh alike, however many there are of each.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.held_decision import HeldDecision, summary
from cybersecqwen.training.logistic import Floats, fit_logistic

HIGHEST = (
    *("full support", "page support", "sentence", "sentence of option", "entry"),
    *("linked to top", "unknown", "names a page"),
)
MEAN = ("entry",)
_PENALTY = 0.03
_FOLDS = 5
_LEAST_SCALE = 1e-3


class HeldScore(msgspec.Struct, frozen=True):
    """How often the decision is right on questions that it was not fitted on, in five folds.

    Attributes:
        inside: Share of the answered questions that are called so, 0 to 1.
        outside: Share of the others that are called so, 0 to 1.
    """

    inside: float
    outside: float


def fit_held(
    inside: Sequence[NDArray[np.float32]],
    outside: Sequence[NDArray[np.float32]],
    names: Sequence[str],
) -> tuple[HeldDecision, HeldScore]:
    """Fit the decision.

    Args:
        inside: Measurements (options, F) of each question that the pages answer.
        outside: Of each that they do not.
        names: What each of the F is.

    Raises:
        InputError: There are fewer than five questions of a kind.
    """
    if min(len(inside), len(outside)) < _FOLDS:
        raise InputError(f"too few questions to decide by: {len(inside)} and {len(outside)}")
    rows = np.array([summary(inputs, names, HIGHEST, MEAN) for inputs in (*inside, *outside)])
    held = np.arange(len(rows)) < len(inside)
    fold = np.concatenate([np.arange(len(part)) % _FOLDS for part in (inside, outside)])
    right = np.zeros(len(rows), bool)
    for number in range(_FOLDS):
        tried = fold == number
        weights = logistic_weights(rows[~tried], held[~tried])
        right[tried] = (rows[tried] @ weights[:-1] + weights[-1] >= 0) == held[tried]
    weights = logistic_weights(rows, held).round(3)
    highest = dict(zip(HIGHEST, weights.tolist(), strict=False))
    mean = dict(zip(MEAN, weights[len(HIGHEST) : -1].tolist(), strict=True))
    decision = HeldDecision(highest, mean, float(weights[-1]))
    return decision, HeldScore(float(right[held].mean()), float(right[~held].mean()))


def logistic_weights(rows: Floats, held: NDArray[np.bool_], penalty: float = _PENALTY) -> Floats:
    """Return the weight of each column of ``rows`` (Q, F), and the bias last (F + 1,).

    Args:
        rows: Measurements.
        held: (Q,) the class of each; both weigh alike, however many there are of each.
        penalty: L2 penalty of the weights of standardised columns.
    """
    centre, scale = rows.mean(axis=0), rows.std(axis=0) + _LEAST_SCALE
    counts = np.where(held, 0.5 / held.sum(), 0.5 / (~held).sum())
    weights = fit_logistic((rows - centre) / scale, held, counts=counts, penalty=penalty)
    raw = weights[:-1] / scale
    return np.append(raw, weights[-1] - raw @ centre)
