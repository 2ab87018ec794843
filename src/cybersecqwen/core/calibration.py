"""Calibration and selective prediction: how far stated confidence can be trusted.

Every function takes ``confidence``, a float array of shape (N,) with values from 0 to 1, and
``correct``, a boolean (or 0/1) array of the same shape: whether each answer was right.

References:
    Guo, Pleiss, Sun, Weinberger: On Calibration of Modern Neural Networks, ICML 2017 (expected
    calibration error, reliability diagrams, temperature scaling).
    Nguyen, O'Connor: Posterior calibration and exploratory analysis for natural language
    processing models, EMNLP 2015 (bins of equal mass).
    Brier: Verification of forecasts expressed in terms of probability, 1950.
    Geifman, El-Yaniv: Selective Classification for Deep Neural Networks, NeurIPS 2017
    (risk-coverage curve).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cybersecqwen.core.ensemble import softmax_rows
from cybersecqwen.core.errors import InputError

Binning = Literal["mass", "width"]
"""``mass``: each bin holds the same number of answers. ``width``: equal steps from 0 to 1."""

_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """One bar of a reliability diagram.

    Attributes:
        lower: Smallest confidence in the bin (``mass``) or its lower edge (``width``).
        upper: Largest confidence in the bin, or its upper edge.
        count: Answers in the bin, at least 1.
        confidence: Their mean confidence, 0 to 1.
        accuracy: Share of them that is right, 0 to 1.
    """

    lower: float
    upper: float
    count: int
    confidence: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class RiskCoverage:
    """What is gained by answering only the surest questions.

    Attributes:
        coverage: Share of questions answered, ascending, shape (K,); one point per distinct
            confidence, since answers that are equally sure cannot be told apart.
        risk: Share of the answered that is wrong, shape (K,).
        threshold: Smallest confidence that is answered, shape (K,), descending.
        area: Area under the curve (AURC): the mean risk over coverage, ties shared evenly.
    """

    coverage: _Floats
    risk: _Floats
    threshold: _Floats
    area: float


def _pair(confidence: ArrayLike, correct: ArrayLike) -> tuple[_Floats, _Floats]:
    sure = np.asarray(confidence, dtype=np.float64)
    right = np.asarray(correct, dtype=np.float64)
    if sure.ndim != 1 or sure.shape != right.shape or sure.size == 0:
        raise InputError(
            f"confidence and correct need one shared shape (N,), N > 0: {sure.shape}, {right.shape}"
        )
    if not (np.isfinite(sure).all() and sure.min() >= 0 and sure.max() <= 1):
        raise InputError("confidence has a value outside 0 to 1")
    return sure, right


def reliability_table(
    confidence: ArrayLike, correct: ArrayLike, bins: int = 15, binning: Binning = "mass"
) -> list[ReliabilityBin]:
    """Sort answers into bins by confidence and compare confidence with accuracy in each.

    Bins of equal mass (the default) never hold a handful of answers, so their accuracies are
    equally well known. Bins of equal width are what Guo et al. print. Empty bins are left out.

    Raises:
        InputError: Shapes differ, nothing is given, or a confidence is outside 0 to 1.
    """
    sure, right = _pair(confidence, correct)
    if binning == "mass":
        order = np.argsort(sure, kind="stable")
        groups = [part for part in np.array_split(order, bins) if part.size]
        edges = [(float(sure[g].min()), float(sure[g].max())) for g in groups]
    else:
        # Bin b holds (b / bins, (b + 1) / bins], as Guo et al. define it; 0 joins the first.
        place = np.clip(np.ceil(sure * bins).astype(np.int64) - 1, 0, bins - 1)
        used = np.unique(place)
        groups = [np.flatnonzero(place == b) for b in used]
        edges = [(float(b) / bins, float(b + 1) / bins) for b in used]
    return [
        ReliabilityBin(low, high, int(g.size), float(sure[g].mean()), float(right[g].mean()))
        for g, (low, high) in zip(groups, edges, strict=True)
    ]


def expected_calibration_error(
    confidence: ArrayLike, correct: ArrayLike, bins: int = 15, binning: Binning = "mass"
) -> float:
    """Return the mean gap between confidence and accuracy over bins, weighted by their counts.

    Guo et al. 2017, equation 3; with bins of equal mass unless told otherwise (see
    ``reliability_table``). 0 is perfect, 1 the worst.

    Raises:
        InputError: As ``reliability_table``.
    """
    table = reliability_table(confidence, correct, bins, binning)
    total = sum(row.count for row in table)
    return sum(row.count * abs(row.accuracy - row.confidence) for row in table) / total


def brier_score(confidence: ArrayLike, correct: ArrayLike) -> float:
    """Return the mean squared gap between confidence in the top answer and its being right.

    This is the two-outcome (right or wrong) score of the stated confidence, from 0 to 1, not the
    sum over all classes.

    Raises:
        InputError: As ``reliability_table``.
    """
    sure, right = _pair(confidence, correct)
    return float(np.mean((sure - right) ** 2))


def risk_coverage(confidence: ArrayLike, correct: ArrayLike) -> RiskCoverage:
    """Return the risk-coverage curve of answering from the surest question downwards.

    Raises:
        InputError: As ``reliability_table``.
    """
    sure, right = _pair(confidence, correct)
    order = np.argsort(-sure, kind="stable")
    sure, wrong = sure[order], 1.0 - right[order]
    # The last place of each run of equal confidences; within a run the order says nothing.
    ends = np.flatnonzero(np.append(sure[1:] != sure[:-1], True))
    answered = ends + 1
    errors = np.cumsum(wrong)[ends]
    # Inside a run, errors come in evenly on average over all its orders.
    places = np.arange(1, sure.size + 1)
    expected = np.interp(places, np.append(0, answered), np.append(0.0, errors))
    return RiskCoverage(
        coverage=answered / sure.size,
        risk=errors / answered,
        threshold=sure[ends],
        area=float(np.mean(expected / places)),
    )


def accuracy_at_coverage(confidence: ArrayLike, correct: ArrayLike, coverage: float) -> float:
    """Return the accuracy over the surest ``coverage`` share of the answers.

    The count is rounded up. Where equal confidences straddle the cut, those of the run count by
    the share of the run that is taken, so that the order of the input does not matter.

    Args:
        confidence: Shape (N,).
        correct: Shape (N,).
        coverage: Share to answer, above 0 and at most 1.

    Raises:
        InputError: As ``reliability_table``, or ``coverage`` is out of range.
    """
    if not 0 < coverage <= 1:
        raise InputError(f"coverage must be above 0 and at most 1, not {coverage}")
    sure, right = _pair(confidence, correct)
    # The small step down keeps 0.7 * 1000 = 700.0000000001 from becoming 701.
    wanted = int(np.ceil(coverage * sure.size - 1e-9))
    cut = np.sort(sure)[::-1][wanted - 1]
    above, level = sure > cut, sure == cut
    hits = right[above].sum() + right[level].mean() * (wanted - int(above.sum()))
    return float(hits / wanted)


def fit_temperature(logits: ArrayLike, target: ArrayLike) -> float:
    """Return the temperature by which to divide logits for the least negative log-likelihood.

    Temperature scaling (Guo et al. 2017, section 4.2). The loss is convex in 1/T, so its slope,
    mean(expected logit - target's logit), has one zero, found by bisection on log T.

    Args:
        logits: Shape (N, C), any real scale.
        target: Right class of each row, shape (N,), integers from 0 to C - 1.

    Returns:
        T, from 0.01 to 100; probabilities are softmax(logits / T).

    Raises:
        InputError: Shapes do not fit, a logit is not finite, or a target is out of range.
    """
    scores = np.asarray(logits, dtype=np.float64)
    right = np.asarray(target)
    if scores.ndim != 2 or right.shape != scores.shape[:1] or scores.shape[0] == 0:
        raise InputError(f"logits (N, C) and target (N,) do not fit: {scores.shape}, {right.shape}")
    if not np.isfinite(scores).all():
        raise InputError("a logit is not finite")
    if right.min() < 0 or right.max() >= scores.shape[1]:
        raise InputError(f"a target is outside 0 to {scores.shape[1] - 1}")
    scores = scores - scores.max(axis=1, keepdims=True)  # (N, C), the largest of each row is 0
    wanted = float(scores[np.arange(right.size), right.astype(np.int64)].mean())
    low, high = np.log(0.01), np.log(100.0)
    for _ in range(40):  # halves a span of 9.2 to under 1e-11
        middle = (low + high) / 2
        if _mean_expected(scores, float(np.exp(middle))) > wanted:
            low = middle  # still surer than the targets bear out
        else:
            high = middle
    return float(np.exp((low + high) / 2))


def fit_mean_confidence(logits: NDArray[Any], target: NDArray[Any]) -> float:
    """Return the temperature at which the mean confidence is the accuracy.

    Where the likeliest class is all that is answered with, its confidence is what must hold; the
    least negative log-likelihood weighs the other classes too. Found by bisection on log T.

    Args:
        logits: Shape (N, C), any real scale.
        target: Right class of each row, shape (N,).

    Returns:
        T, from 0.01 to 100; probabilities are softmax(logits / T).
    """
    accuracy = float((logits.argmax(axis=1) == target).mean())
    low, high = np.log(0.01), np.log(100.0)
    for _ in range(40):
        middle = (low + high) / 2
        if float(softmax_rows(logits / np.exp(middle)).max(axis=1).mean()) > accuracy:
            low = middle  # still surer than right
        else:
            high = middle
    return float(np.exp((low + high) / 2))


def _mean_expected(scores: NDArray[Any], temperature: float) -> float:
    """Mean over rows of the expected logit under softmax(scores / T); falls as T grows."""
    weights = np.exp(scores / temperature)  # (N, C)
    return float(((weights * scores).sum(axis=1) / weights.sum(axis=1)).mean())
