"""Logistic regression with few columns, by Newton's method.

Iteratively reweighted least squares with an L2 penalty (Hastie et al., The Elements of Statistical
Learning, 4.4.1); what is fitted is the likeliest to within rounding, whatever it started from.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_STEPS = 50
_ENOUGH = 1e-8


def fit_logistic(
    rows: Floats, true: NDArray[np.bool_], *, counts: Floats, penalty: float
) -> Floats:
    """Return the weight of each column of ``rows`` (N, F), and the bias last (F + 1,).

    Args:
        rows: Measurements, of like size in all columns.
        true: (N,), the class of each.
        counts: (N,), how much each counts; 1 in all.
        penalty: Of half the squared weights, the bias left out.
    """
    seen = np.column_stack([rows, np.ones(len(rows))])
    shrunk = penalty * np.append(np.ones(rows.shape[1]), 0.0)
    weights = np.zeros(seen.shape[1])
    for _ in range(_STEPS):
        share = 1 / (1 + np.exp(-np.clip(seen @ weights, -30, 30)))
        slope = seen.T @ (counts * (share - true)) + shrunk * weights
        bend = (seen * (counts * share * (1 - share))[:, None]).T @ seen + np.diag(shrunk + 1e-9)
        step = np.linalg.solve(bend, slope)
        weights -= step
        if np.abs(step).max() < _ENOUGH:
            break
    return weights
