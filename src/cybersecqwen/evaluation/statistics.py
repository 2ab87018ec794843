"""Intervals and tests: what a score, and a difference of two, is worth.

Items are the sampling unit; trials of the same item are averaged first, so that run-to-run noise is
never mistaken for knowledge of the item population. Questions made from one page are resampled
together. All resampling is seeded, so the same log always gives the same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from math import sqrt
from statistics import NormalDist
from typing import Any

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

RESAMPLES = 5000
_AT_ONCE = 250
_Z = NormalDist().inv_cdf(0.975)


class Interval(msgspec.Struct, frozen=True, array_like=True):
    """A 95 % interval; formatted, both ends in brackets: ``f"{interval:.3f}"``."""

    low: float
    high: float

    def __format__(self, spec: str) -> str:
        return f"[{self.low:{spec}}, {self.high:{spec}}]"

    @property
    def in_points(self) -> Interval:
        """The same in percentage points."""
        return Interval(self.low * 100, self.high * 100)


class TrialSpread(msgspec.Struct, frozen=True):
    """Where the uncertainty of a mean over items and trials comes from.

    Attributes:
        trial_sd: Standard deviation of the trials' means (run-to-run noise); 0 for one trial.
        item_se: Standard error of the mean from the choice of items.
        unstable: Share of items whose trials do not all agree.
    """

    trial_sd: float
    item_se: float
    unstable: float


class Paired(msgspec.Struct, frozen=True):
    """Two systems on the same items.

    Attributes:
        n: Items that both answered.
        mean_a: Mean of the first.
        mean_b: Mean of the second.
        difference: First less second.
        ci95: Paired bootstrap interval of the difference, items of one page kept together.
        only_a: Items that only the first has right.
        only_b: Items that only the second has right.
        p_mcnemar: Exact McNemar test, two-sided.
        p_bootstrap: Two-sided share of resamples on the other side of no difference.
        p_holm: McNemar p-value after Holm's correction, where several pairs were tested.
    """

    n: int
    mean_a: float
    mean_b: float
    difference: float
    ci95: Interval
    only_a: int
    only_b: int
    p_mcnemar: float
    p_bootstrap: float
    p_holm: float | None = None


def wilson(successes: int, n: int) -> Interval:
    """Return Wilson's score interval of a proportion (Wilson 1927).

    Written out, since importing ``scipy.stats`` for it takes longer than scoring a log.
    """
    share = successes / n
    middle = (share + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z * sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2)) / (1 + _Z**2 / n)
    return Interval(max(0.0, middle - half), min(1.0, middle + half))


def bootstrap_means(
    values: ArrayLike, groups: Sequence[str] | None = None, seed: int = 0
) -> NDArray[np.float64]:
    """Return means of ``RESAMPLES`` resamples, shape (RESAMPLES,).

    Args:
        values: One number per item, shape (N,).
        groups: The page each item came from; items of a page are drawn together (the cluster
            bootstrap). An empty name is a page of its own. None draws items singly.
        seed: Seed of the resampling.
    """
    numbers: NDArray[np.float64] = np.asarray(values, dtype=np.float64)
    sums: NDArray[np.float64]
    sizes: NDArray[np.float64]
    if groups is None:
        sums, sizes = numbers, np.ones(len(numbers))
    else:
        names = [name or f"\0{place}" for place, name in enumerate(groups)]
        _, place = np.unique(names, return_inverse=True)
        sums = np.asarray(np.bincount(place, weights=numbers), dtype=np.float64)
        sizes = np.asarray(np.bincount(place), dtype=np.float64)
    random = np.random.default_rng(seed)
    means = []
    for _ in range(RESAMPLES // _AT_ONCE):
        drawn = random.integers(0, len(sums), (_AT_ONCE, len(sums)))
        means.append(sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1))
    return np.concatenate(means)


def shared_pages(sources: Sequence[str]) -> list[str] | None:
    """Return the sources as groups for resampling, or None where no two items share one."""
    named = [source for source in sources if source]
    return list(sources) if len(set(named)) < len(named) else None


def bootstrap_interval(values: ArrayLike, groups: Sequence[str] | None = None) -> Interval:
    """Return the percentile bootstrap interval of a mean (Efron 1979)."""
    low, high = np.percentile(bootstrap_means(values, groups), [2.5, 97.5])
    return Interval(float(low), float(high))


def share_interval(values: ArrayLike, groups: Sequence[str] | None = None) -> Interval:
    """Return the interval of a share, the mean of values from 0 to 1, as it is to be printed.

    It is the bootstrap's. Where all values are 0 or all are 1 every resample is alike, and its
    width of nothing would say that no other item could differ: there it is Wilson's, over pages
    where items share them.
    """
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.size and (numbers.min() == 1 or numbers.max() == 0):
        names = groups if groups is not None else [""] * numbers.size
        draws = len({name for name in names if name}) + sum(not name for name in names)
        return wilson(draws if numbers[0] else 0, draws)
    return bootstrap_interval(numbers, groups)


def trial_spread(values: NDArray[Any]) -> TrialSpread:
    """Return the spread over trials and over items of values with shape (items, trials)."""
    items, trials = values.shape
    per_item = values.mean(axis=1)
    return TrialSpread(
        trial_sd=float(values.mean(axis=0).std(ddof=1)) if trials > 1 else 0.0,
        item_se=float(per_item.std(ddof=1) / np.sqrt(items)) if items > 1 else 0.0,
        unstable=float((values != values[:, :1]).any(axis=1).mean()),
    )


def mcnemar(only_a: int, only_b: int) -> float:
    """Return the exact two-sided p-value of equal shares being right (McNemar 1947)."""
    # The binomial at one half is symmetric, so two sides are twice the smaller one; in whole
    # numbers, so that nothing is lost however many items there are.
    discordant = only_a + only_b
    ways = sum(math.comb(discordant, k) for k in range(min(only_a, only_b) + 1))
    return min(1.0, float(2 * ways / 2**discordant))


def compare_paired(a: ArrayLike, b: ArrayLike, groups: Sequence[str] | None = None) -> Paired:
    """Compare two systems item by item.

    Args:
        a: The first system's score per item, averaged over its trials, shape (N,).
        b: The second's, on the same items in the same order.
        groups: As for ``bootstrap_means``.

    Returns:
        The comparison. For McNemar's test an item averaged over trials counts as right when more
        than half of its trials are.
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    gaps = first - second
    means = bootstrap_means(gaps, groups)
    low, high = np.percentile(means, [2.5, 97.5])
    right_a, right_b = first > 0.5, second > 0.5
    only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    # One is added so that a finite number of resamples never claims certainty.
    tail = (min((means <= 0).sum(), (means >= 0).sum()) + 1) / (len(means) + 1)
    return Paired(
        n=len(gaps),
        mean_a=float(first.mean()),
        mean_b=float(second.mean()),
        difference=float(gaps.mean()),
        ci95=Interval(float(low), float(high)),
        only_a=only_a,
        only_b=only_b,
        p_mcnemar=mcnemar(only_a, only_b),
        p_bootstrap=float(min(1.0, 2 * tail)),
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for their number, step-down (Holm 1979), in the given order."""
    corrected = [0.0] * len(p_values)
    highest = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        corrected[place] = highest
    return corrected
