from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cybersecqwen.core.calibration import (
    accuracy_at_coverage,
    brier_score,
    expected_calibration_error,
    fit_mean_confidence,
    fit_temperature,
    reliability_table,
    risk_coverage,
)
from cybersecqwen.core.errors import InputError

PAIRS = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60)


def test_ece_is_the_weighted_gap_by_hand() -> None:
    # Two bins of two: gaps |0.5 - 0.25| and |1 - 0.9|.
    sure = [0.2, 0.3, 0.85, 0.95]
    right = [True, False, True, True]
    assert expected_calibration_error(sure, right, bins=2) == pytest.approx((0.25 + 0.1) / 2)


def test_equal_width_bins_close_on_the_right() -> None:
    table = reliability_table([0.0, 0.5, 0.51, 1.0], [0, 1, 1, 1], bins=2, binning="width")
    assert [(row.lower, row.upper, row.count) for row in table] == [(0.0, 0.5, 2), (0.5, 1.0, 2)]


def test_equal_mass_bins_differ_by_at_most_one_and_more_bins_than_answers_is_fine() -> None:
    counts = [row.count for row in reliability_table(np.linspace(0, 1, 100), np.ones(100))]
    assert sum(counts) == 100
    assert max(counts) - min(counts) <= 1
    assert len(reliability_table([0.5, 0.6], [1, 0])) == 2


def test_brier_of_known_values() -> None:
    assert brier_score([1.0, 0.5, 0.0], [1, 0, 1]) == pytest.approx((0 + 0.25 + 1) / 3)


def test_risk_coverage_merges_ties_and_its_area_ignores_their_order() -> None:
    curve = risk_coverage([0.9, 0.5, 0.5, 0.1], [1, 0, 1, 0])
    assert curve.coverage.tolist() == [0.25, 0.75, 1.0]
    assert curve.risk.tolist() == pytest.approx([0, 1 / 3, 0.5])
    assert curve.threshold.tolist() == [0.9, 0.5, 0.1]
    assert curve.area == pytest.approx((0 + 0.5 / 2 + 1 / 3 + 0.5) / 4)
    assert curve.area == risk_coverage([0.5, 0.1, 0.9, 0.5], [1, 0, 1, 0]).area


def test_accuracy_at_coverage_takes_the_surest_and_shares_ties() -> None:
    sure, right = [0.9, 0.8, 0.7, 0.6], [1, 1, 0, 0]
    assert accuracy_at_coverage(sure, right, 0.5) == 1.0
    assert accuracy_at_coverage(sure, right, 0.75) == pytest.approx(2 / 3)
    assert accuracy_at_coverage([0.5] * 4, right, 0.25) == 0.5
    # 0.7 * 10 is 7.000000000000001 in no rounding that matters here.
    assert accuracy_at_coverage(np.linspace(1, 0.1, 10), [1] * 7 + [0] * 3, 0.7) == 1.0


@settings(deadline=None)
@given(PAIRS)
def test_bounds_and_agreement_at_full_coverage(pairs: list[tuple[float, bool]]) -> None:
    sure, right = zip(*pairs, strict=True)
    assert 0 <= expected_calibration_error(sure, right) <= 1
    assert accuracy_at_coverage(sure, right, 1.0) == pytest.approx(np.mean(right))
    assert risk_coverage(sure, right).risk[-1] == pytest.approx(1 - np.mean(right))


def test_temperature_is_recovered_from_sampled_targets() -> None:
    random = np.random.default_rng(0)
    truth = random.normal(size=(20_000, 5)) * 2
    weights = np.exp(truth)
    weights /= weights.sum(axis=1, keepdims=True)
    target = (weights.cumsum(axis=1) > random.random((20_000, 1))).argmax(axis=1)
    assert fit_temperature(truth * 3, target) == pytest.approx(3, rel=0.05)
    assert fit_temperature(truth / 2, target) == pytest.approx(0.5, rel=0.05)


def test_temperature_minimises_the_loss() -> None:
    random = np.random.default_rng(1)
    logits = random.normal(size=(300, 7)) * 4
    target = np.where(random.random(300) < 0.6, logits.argmax(axis=1), random.integers(0, 7, 300))

    def loss(temperature: float) -> float:
        scaled = logits / temperature
        log_norm = np.log(np.exp(scaled - scaled.max(1, keepdims=True)).sum(1)) + scaled.max(1)
        return float((log_norm - scaled[np.arange(300), target]).mean())

    best = fit_temperature(logits, target)
    assert loss(best) < loss(best * 1.02)
    assert loss(best) < loss(best / 1.02)


@pytest.mark.parametrize(
    ("sure", "right"), [([], []), ([0.5], [1, 0]), ([1.2], [1]), ([float("nan")], [1])]
)
def test_unusable_input_is_named(sure: list[float], right: list[int]) -> None:
    with pytest.raises(InputError):
        expected_calibration_error(sure, right)


def test_temperature_refuses_what_does_not_fit() -> None:
    with pytest.raises(InputError, match="do not fit"):
        fit_temperature([[1.0, 2.0]], [0, 1])
    with pytest.raises(InputError, match="outside"):
        fit_temperature([[1.0, 2.0]], [2])
    with pytest.raises(InputError, match="finite"):
        fit_temperature([[1.0, float("inf")]], [1])


def test_the_mean_confidence_becomes_the_accuracy() -> None:
    draw = np.random.default_rng(3)
    logits = draw.normal(size=(400, 9)) * 4
    target = np.where(draw.random(400) < 0.6, logits.argmax(1), draw.integers(0, 9, 400))
    scaled = logits / fit_mean_confidence(logits, target)
    shares = np.exp(scaled) / np.exp(scaled).sum(1, keepdims=True)
    assert shares.max(1).mean() == pytest.approx((logits.argmax(1) == target).mean(), abs=1e-6)
