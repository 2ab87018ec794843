"""The decision whether a knowledge base answers a multiple-choice question, as weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

LEAST_HELD = 0.5
"""Probability below which a question is taken for one that the pages do not answer."""


class HeldDecision(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A logistic regression over what the options of one question are measured by.

    Attributes:
        highest: Weight of the highest value of a measurement among the options, by its name.
        mean: Weight of its mean over the options, likewise.
        bias: What is added.
    """

    highest: dict[str, float]
    mean: dict[str, float]
    bias: float

    def share(self, inputs: NDArray[np.float32], names: Sequence[str]) -> float:
        """Return the probability (0 to 1) that the pages hold what a question asks.

        Args:
            inputs: Measurements of the options (options, F).
            names: What each of the F is.
        """
        row = summary(inputs, names, self.highest, self.mean)
        weights = np.array([*self.highest.values(), *self.mean.values()])
        return float(1 / (1 + np.exp(-(row @ weights + self.bias))))


def summary(
    inputs: NDArray[np.float32],
    names: Sequence[str],
    highest: Mapping[str, float] | Sequence[str],
    mean: Mapping[str, float] | Sequence[str],
) -> NDArray[np.float64]:
    """Return the highest and the mean values of some measurements of a question's options.

    Args:
        inputs: Measurements of the options (options, F).
        names: What each of the F is.
        highest: Names of those whose highest value counts.
        mean: Names of those whose mean counts.
    """
    values = inputs.astype(np.float64)
    most, middle = values.max(axis=0), values.mean(axis=0)
    return np.array(
        [*(most[names.index(n)] for n in highest), *(middle[names.index(n)] for n in mean)]
    )
