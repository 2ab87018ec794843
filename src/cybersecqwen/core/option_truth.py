"""The probability that an option of a multiple-choice question is true, whatever the others are."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray


class OptionTruth(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A logistic regression over what an option is measured by and what the ranker gives it.

    A ranker's probabilities say which option is the best of several; where two or none may be
    true, each needs a judgement of its own.

    Attributes:
        weights: Weight of each measurement, by its name.
        score: Weight of the ranker's score.
        bias: What is added.
    """

    weights: dict[str, float]
    score: float
    bias: float

    def shares(
        self, inputs: NDArray[np.float32], scores: NDArray[np.float64], names: Sequence[str]
    ) -> NDArray[np.float64]:
        """Return the probability (options,) that each option is true.

        Args:
            inputs: Measurements of the options (options, F).
            scores: (options,) the ranker's scores of them.
            names: What each of the F is.
        """
        columns = [names.index(name) for name in self.weights]
        logits = inputs[:, columns].astype(np.float64) @ np.array([*self.weights.values()])
        shares: NDArray[np.float64] = 1 / (1 + np.exp(-(logits + self.score * scores + self.bias)))
        return shares
