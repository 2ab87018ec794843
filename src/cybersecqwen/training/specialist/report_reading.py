"""Fitting how a technique specialist reads reports; see ``core.technique_reading``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cybersecqwen.core.technique_reading import ReportReading
from cybersecqwen.core.technique_rows import ReportRow
from cybersecqwen.training.logistic import fit_logistic


class TechniqueReader(Protocol):
    """A finished technique specialist, as the readings of its answers are fitted."""

    def report_odds(self, text: str) -> NDArray[np.float64]:
        """Return the log-odds of a report's main techniques that a reading weighs, (M, 4)."""

    def scenario_terms(self, text: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return log-probabilities of a scenario's technique and likeness of words, (C,) each."""


OpenReader = Callable[[Path], TechniqueReader]
"""Opens a finished technique folder."""

_FOLDS = 4
_RIDGE = 1e-4
_THRESHOLDS = np.arange(0.1, 0.65, 0.05)


def fit_report_reading(
    reader: TechniqueReader, techniques: Sequence[str], reports: Sequence[ReportRow]
) -> tuple[ReportReading, float]:
    """Return the reading that suits reports best, and its mean F1 on pages it was not fitted on.

    Args:
        reader: Reads them.
        techniques: Ids of all techniques that can be answered with.
        reports: On pages that nothing was learnt from; at least four pages. What is unsure of a
            report counts neither way.
    """
    mains = sorted({name.split(".")[0] for name in techniques})
    place = {name: number for number, name in enumerate(mains)}
    odds = np.stack([reader.report_odds(report.text) for report in reports])  # (R, M, 4)
    told = np.zeros(odds.shape[:2], bool)
    known = np.ones(told.shape, bool)
    for row, report in enumerate(reports):
        known[row, [place[name.split(".")[0]] for name in report.unsure]] = False
        told[row, [place[name.split(".")[0]] for name in report.techniques]] = True
    known |= told
    groups = sorted({report.group for report in reports})
    folds = np.array([groups.index(report.group) % _FOLDS for report in reports])
    said = np.zeros(told.shape)
    for fold in range(_FOLDS):
        rows = known & (folds != fold)[:, None]
        weights = _logistic(odds[rows], told[rows])
        said[folds == fold] = _probabilities(odds[folds == fold], weights)
    scores = [mean_f1((said >= threshold) & known, told) for threshold in _THRESHOLDS]
    best = int(np.argmax(scores))
    *fitted, bias = (round(float(weight), 4) for weight in _logistic(odds[known], told[known]))
    threshold = round(float(_THRESHOLDS[best]), 2)
    names = ("sentence", "clause", "whole", "each")
    named = dict(zip(names, fitted, strict=True))
    reading = ReportReading(**named, bias=bias, threshold=threshold)
    return reading, scores[best]


def mean_f1(said: NDArray[np.bool_], told: NDArray[np.bool_]) -> float:
    """Return the mean over R reports of F1 between two sets of techniques, (R, M) each."""
    both = (said & told).sum(1)
    return float((2 * both / np.maximum(said.sum(1) + told.sum(1), 1)).mean())


def _probabilities(odds: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    made: NDArray[np.float64] = 1 / (1 + np.exp(-(odds @ weights[:-1] + weights[-1])))
    return made


def _logistic(odds: NDArray[np.float64], told: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the weights of (N, F) log-odds and the bias, (F + 1,)."""
    counts = np.full(len(odds), 1 / len(odds))
    return fit_logistic(odds, told, counts=counts, penalty=2 * _RIDGE)
