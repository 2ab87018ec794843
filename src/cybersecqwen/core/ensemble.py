"""Opinions as probabilities, and two opinions made one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cybersecqwen.core.errors import InputError

_LEAST = 1e-6  # probability that an option keeps, so that none is ruled out by one opinion


def softmax(scores: Sequence[float]) -> list[float]:
    """Return the shares of natural-log scores; they add up to 1."""
    highest = max(scores)
    weights = [math.exp(score - highest) for score in scores]
    total = sum(weights)
    return [weight / total for weight in weights]


def softmax_rows(logits: NDArray[Any]) -> NDArray[np.float64]:
    """Return the softmax over the last axis, in double precision."""
    shifted: NDArray[np.float64] = logits.astype(np.float64)
    shifted -= shifted.max(axis=-1, keepdims=True)
    np.exp(shifted, out=shifted)
    shifted /= shifted.sum(axis=-1, keepdims=True)
    return shifted


def checked_weight(name: str, weight: float) -> float:
    """Return an opinion's exponent.

    Raises:
        InputError: It is negative or no number; the message begins with the name.
    """
    if not 0 <= weight < math.inf:
        raise InputError(f"{name} must be 0 or more, not {weight}")
    return weight


def log_opinion(shares: Sequence[float], weight: float) -> list[float]:
    """Return the logarithms of an opinion's probabilities to the power of a weight."""
    return [weight * math.log(max(share, _LEAST)) for share in shares]


def mixed(shares: Sequence[float], others: Sequence[float], weight: float) -> list[float]:
    """Return an opinion's probabilities times another's to the power of a weight.

    A log-linear pool (Genest and Zidek, Statistical Science 1(1), 1986) of two opinions, the first
    with exponent 1.
    """
    first, second = log_opinion(shares, 1.0), log_opinion(others, weight)
    return softmax([own + other for own, other in zip(first, second, strict=True)])
