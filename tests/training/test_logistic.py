from __future__ import annotations

import numpy as np

from cybersecqwen.training.logistic import fit_logistic


def test_no_weight_can_be_moved_for_the_better() -> None:
    draw = np.random.default_rng(3)
    rows = draw.normal(size=(60, 3))
    true = rows @ [1.5, -0.5, 0.0] + draw.normal(size=60) > 0.4
    counts = draw.uniform(0.5, 1.5, 60)
    counts /= counts.sum()
    weights = fit_logistic(rows, true, counts=counts, penalty=0.02)

    def loss(tried: np.ndarray) -> float:
        logits = rows @ tried[:-1] + tried[-1]
        each = np.logaddexp(0, np.where(true, -logits, logits))
        return float(counts @ each + 0.01 * (tried[:-1] ** 2).sum())

    assert weights[0] > 0.5
    best = loss(weights)
    for step in (1e-3, -1e-3):
        assert all(loss(weights + step * axis) > best for axis in np.eye(4))


def test_classes_that_a_column_tells_apart_have_finite_weights() -> None:
    rows = np.array([[-2.0], [-1.0], [1.0], [2.0]])
    weights = fit_logistic(rows, rows[:, 0] > 0, counts=np.full(4, 0.25), penalty=1e-3)
    assert 1 < weights[0] < 20
    assert abs(weights[1]) < 1e-6
