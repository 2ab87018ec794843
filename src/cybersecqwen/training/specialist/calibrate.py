"""Temperature and threshold for each labeller, from validation rows alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cybersecqwen.core.calibration import (
    accuracy_at_coverage,
    expected_calibration_error,
    fit_temperature,
)
from cybersecqwen.core.ensemble import softmax_rows
from cybersecqwen.training.specialist.rows import NO_LABEL

PRECISIONS = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.97, 0.98, 0.99)
"""Precisions for which a threshold is looked for."""

FEWEST_ROWS = 100
"""Fewer validation rows with a known label fit nothing: temperature and threshold stay 1."""


@dataclass(frozen=True)
class LabellerResult:
    """One labeller's calibration, and how well its validation rows are answered.

    Attributes:
        rows: Validation rows it labelled.
        accuracy: Share of them whose likeliest id is the label, 0 to 1.
        unfamiliar_rows: How many of them have no near-duplicate among the training rows.
        unfamiliar_accuracy: The same share of those.
        top5: Share whose label is among the five likeliest.
        ece: Expected calibration error after scaling.
        accuracy_at_70: Accuracy over the surest 70 %.
        temperature: What to divide logits by.
        threshold: Least confidence to answer with.
        coverage: Share of rows at or above the threshold.
        precision: Pairs of a precision, ascending, and the least confidence that reached it.
    """

    rows: int
    accuracy: float
    unfamiliar_rows: int
    unfamiliar_accuracy: float
    top5: float
    ece: float
    accuracy_at_70: float
    temperature: float
    threshold: float
    coverage: float
    precision: tuple[tuple[float, float], ...] = ()


def calibrate(
    logits: NDArray[np.float32],
    labels: NDArray[np.int64],
    familiar: NDArray[np.bool_],
    target_accuracy: float,
) -> LabellerResult:
    """Fit temperature and threshold on (N, C) logits and (N,) label numbers.

    Args:
        logits: Of the rows that the labeller labelled.
        labels: Their labels, ``NO_LABEL`` where the model does not know the id: always wrong.
        familiar: (N,), whether a training row is near.
        target_accuracy: What the answered rows must reach.
    """
    total, known = len(labels), labels != NO_LABEL
    fitted = known.sum() >= FEWEST_ROWS
    temperature = fit_temperature(logits[known], labels[known]) if fitted else 1.0
    probabilities = softmax_rows(logits.astype(np.float64) / temperature)
    confidence = probabilities.max(-1)
    right = probabilities.argmax(-1) == labels
    likeliest = np.argsort(-probabilities, axis=-1)[:, :5]
    top5 = (likeliest == labels[:, None]).any(-1)

    def threshold_of(accuracy: float) -> float:
        return _threshold(confidence, right, accuracy) if fitted else 1.0

    threshold = threshold_of(target_accuracy)
    return LabellerResult(
        rows=total,
        accuracy=_share(right),
        unfamiliar_rows=int((~familiar).sum()),
        unfamiliar_accuracy=_share(right[~familiar]),
        top5=_share(top5),
        ece=expected_calibration_error(confidence, right) if total else 0.0,
        accuracy_at_70=accuracy_at_coverage(confidence, right, 0.7) if total else 0.0,
        temperature=temperature,
        threshold=threshold,
        coverage=_share(confidence >= threshold),
        precision=tuple(
            (wanted, limit) for wanted in PRECISIONS if (limit := threshold_of(wanted)) < 1
        ),
    )


def _share(true: NDArray[np.bool_]) -> float:
    return float(true.mean()) if len(true) else 0.0


def _threshold(
    confidence: NDArray[np.float64], right: NDArray[np.bool_], target_accuracy: float
) -> float:
    """Return the least confidence at and above which accuracy reaches the target, else 1."""
    order = np.argsort(-confidence, kind="stable")
    accuracy = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    good = np.flatnonzero(accuracy >= target_accuracy)
    return float(round(confidence[order[good[-1]]], 4)) if len(good) else 1.0
