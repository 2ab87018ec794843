from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from cybersecqwen.evaluation.statistics import (
    Interval,
    bootstrap_interval,
    compare_paired,
    holm,
    mcnemar,
    share_interval,
    shared_pages,
    trial_spread,
    wilson,
)


@pytest.mark.parametrize(("right", "n"), [(667, 1000), (0, 5), (5, 5), (1, 2500)])
def test_wilson_is_scipys(right: int, n: int) -> None:
    found, known = wilson(right, n), binomtest(right, n).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((known.low, known.high))


def test_bootstrap_agrees_with_theory_on_independent_items() -> None:
    values = np.repeat([1.0, 0.0], [667, 333])
    interval = bootstrap_interval(values)
    half = 1.96 * np.sqrt(0.667 * 0.333 / 1000)
    assert (interval.low, interval.high) == pytest.approx((0.667 - half, 0.667 + half), abs=0.003)
    assert bootstrap_interval(values) == interval


def test_questions_of_one_page_widen_the_interval() -> None:
    random = np.random.default_rng(0)
    values = np.repeat(random.integers(0, 2, 50), 20)
    pages = [f"page {place // 20}" for place in range(1000)]
    single, paged = bootstrap_interval(values), bootstrap_interval(values, pages)
    assert paged.high - paged.low > 3 * (single.high - single.low)
    nameless = bootstrap_interval(values, [""] * 1000)  # each a page of its own
    assert (nameless.low, nameless.high) == pytest.approx((single.low, single.high), abs=0.005)


def test_pages_matter_only_where_two_items_share_one() -> None:
    assert shared_pages(["a", "b", ""]) is None
    assert shared_pages(["a", "b", "a"]) == ["a", "b", "a"]
    assert shared_pages(["", ""]) is None


def test_trial_noise_and_item_noise_are_kept_apart() -> None:
    steady = np.tile(np.repeat([1.0, 0.0], 50)[:, None], 5)
    spread = trial_spread(steady)
    assert (spread.trial_sd, spread.unstable) == (0, 0)
    assert spread.item_se == pytest.approx(0.0503, abs=1e-3)
    noisy = np.array([[1.0, 0.0], [1.0, 1.0]])
    assert trial_spread(noisy).trial_sd == pytest.approx(np.std([1.0, 0.5], ddof=1))
    assert trial_spread(noisy).unstable == 0.5
    assert trial_spread(np.ones((4, 1))).trial_sd == 0


def test_mcnemar_is_the_binomial_test_of_the_discordant() -> None:
    assert mcnemar(0, 0) == 1
    assert mcnemar(5, 0) == pytest.approx(2 * 0.5**5)
    assert mcnemar(3, 9) == mcnemar(9, 3) == pytest.approx(0.1459960938)


@settings(deadline=None)
@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_scipys(only_a: int, only_b: int) -> None:
    known = binomtest(only_a, only_a + only_b, 0.5).pvalue if only_a + only_b else 1.0
    assert mcnemar(only_a, only_b) == pytest.approx(known)


def test_paired_comparison_by_hand() -> None:
    a = np.array([1, 1, 1, 0, 0, 1, 1, 1, 1, 1])
    b = np.array([1, 0, 0, 0, 1, 0, 0, 0, 0, 1])
    paired = compare_paired(a, b)
    assert (paired.n, paired.only_a, paired.only_b) == (10, 6, 1)
    assert paired.difference == pytest.approx(0.5)
    assert paired.p_mcnemar == pytest.approx(0.125)
    assert paired.ci95.low == 0
    assert paired.p_bootstrap == pytest.approx(0.05, abs=0.02)
    assert compare_paired(a, a).p_mcnemar == compare_paired(a, a).p_bootstrap == 1


def test_a_paired_interval_is_narrower_than_the_difference_of_two() -> None:
    random = np.random.default_rng(1)
    a = (random.random(2000) < 0.7).astype(float)
    b = np.where(random.random(2000) < 0.05, 1 - a, a)
    paired = compare_paired(a, b).ci95
    alone = bootstrap_interval(a)
    assert paired.high - paired.low < 0.6 * (alone.high - alone.low)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_only_raises_and_keeps_the_order(p_values: list[float]) -> None:
    corrected = holm(p_values)
    assert all(p <= q <= 1 for p, q in zip(p_values, corrected, strict=True))
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    assert [corrected[place] for place in order] == sorted(corrected)


def test_coverage_of_the_bootstrap_is_near_what_it_claims() -> None:
    random = np.random.default_rng(2)
    hits = 0
    for _ in range(100):
        interval = bootstrap_interval(random.random(150) < 0.6)
        hits += interval.low <= 0.6 <= interval.high
    assert 88 <= hits <= 100


def test_an_interval_is_written_with_both_ends() -> None:
    found = Interval(-0.02, 0.0486)
    assert f"{found:.3f}" == "[-0.020, 0.049]"
    assert f"{found:+.2f}" == "[-0.02, +0.05]"
    assert f"{found.in_points:.1f}" == "[-2.0, 4.9]"


def test_where_all_are_right_or_none_the_interval_still_has_a_width() -> None:
    assert share_interval([1.0] * 40) == wilson(40, 40)
    assert share_interval([0.0] * 40) == wilson(0, 40)
    # Forty questions of four pages tell as much as four, those of no page as many as they are.
    assert share_interval([1.0] * 40, [f"page {n % 4}" for n in range(40)]) == wilson(4, 4)
    assert share_interval([1.0] * 40, ["page"] * 20 + [""] * 20) == wilson(21, 21)
    mixed = [1.0] * 39 + [0.0]
    assert share_interval(mixed) == bootstrap_interval(mixed)
    half_right_each = [0.5] * 40  # of two trials; those of an item are averaged
    assert share_interval(half_right_each) == bootstrap_interval(half_right_each)
