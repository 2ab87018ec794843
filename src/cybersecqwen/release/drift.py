"""Whether a site's results have moved away from a reference, week by week.

Four measures of a week are compared with the reference's weeks: the mix of labels, the
distribution of confidence, the share of abstentions, and the share of texts with unfamiliar
words. Each is a set of shares. Records of one week resemble each other (a vendor publishes one
template many times), and some categories vary more from week to week than others, so that plain
tests of counts would call ordinary weeks unlikely. So each share (as arcsine of its root, which
makes the variance by chance the same everywhere) is judged as one more observation beside the
reference's weeks, by Student's t, its variance never taken to be less than chance alone makes it.

That still takes weeks to vary as the reference's did. They do not: now and then one vendor
publishes hundreds of records in a day, and a reference of half a year may have seen none of these.
One such week is no drift. So what is tested is the mean of a week and the week before it, and each
of the two must have moved in that direction by itself, if less surely. P values are corrected by
Bonferroni's method over the shares of a measure and by Holm's over measures.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

from cybersecqwen.release.results_profile import Profile, WeekCounts

ALPHA = 0.01
"""Probability of an alarm in a week without drift, over all measures together."""

_EACH = 0.01
"""Probability by chance, uncorrected, that each of two weeks must fall below by itself."""

LEAST_CHANGE = 0.05
"""Share of two weeks' records by which one category must have grown or shrunk; less is no alarm,
however certain."""

LEAST_RECORDS = 50
"""Records below which a week is not judged."""

_CATEGORIES = 12  # the commonest of a measure are judged one by one

MEASURES = {
    "labels": "mix of weaknesses",
    "confidence": "confidence",
    "abstention": "share left to a person",
    "unfamiliar": "share of unfamiliar texts",
}


@dataclass(frozen=True)
class Comparison:
    """One measure of one week.

    Attributes:
        measure: One of ``MEASURES``.
        change: Share of records that moved between categories, 0 to 1.
        p: Probability by chance of so large a difference in this week and the one before taken
            together, corrected for the week's other measures; 1 where they did not both move.
        alarm: Whether it is drift: unlikely to be chance, large enough to matter, and lasting.
        unusual: Whether this week would be that, taken alone.
        grown: The category that grew most and by how much of all records; empty without one.
        shrunk: The one that shrank most.
    """

    measure: str
    change: float
    p: float
    alarm: bool
    unusual: bool
    grown: tuple[str, float]
    shrunk: tuple[str, float]


@dataclass(frozen=True)
class WeekVerdict:
    """One week.

    Attributes:
        week: ISO week, as ``2026-W48``.
        counts: Its counts.
        comparisons: Its measures; empty where there are too few records to tell.
    """

    week: str
    counts: WeekCounts
    comparisons: tuple[Comparison, ...]

    @property
    def alarm(self) -> bool:
        """Whether any measure has drifted."""
        return any(comparison.alarm for comparison in self.comparisons)

    @property
    def unusual(self) -> bool:
        """Whether any measure would have, if one week were enough."""
        return any(comparison.unusual for comparison in self.comparisons)


class DriftTest:
    """Compares weeks with a reference, each together with the week before.

    Args:
        profile: The reference.
        alpha: Probability of an alarm in a week without drift.
        least_change: Share of records by which one category must have grown or shrunk.
    """

    def __init__(
        self, profile: Profile, alpha: float = ALPHA, least_change: float = LEAST_CHANGE
    ) -> None:
        self._alpha = alpha
        weeks = [week for week in profile.weeks if week.records >= LEAST_RECORDS]
        self._references = {
            measure: _Reference([_categories(week, measure) for week in weeks], least_change)
            for measure in MEASURES
            if all(_categories(week, measure) for week in weeks)
        }

    def judge(self, weeks: Iterable[WeekCounts]) -> list[WeekVerdict]:
        """Judge weeks, oldest first, each together with the last one that could be judged."""
        verdicts, before = [], None
        for week in weeks:
            verdicts.append(self.compare(week, before))
            before = week if verdicts[-1].comparisons else before
        return verdicts

    def compare(self, week: WeekCounts, before: WeekCounts | None = None) -> WeekVerdict:
        """Judge one week together with the one before it, without which there is no alarm."""
        if week.records < LEAST_RECORDS:
            return WeekVerdict(week.week, week, ())
        found = {
            measure: counts
            for measure in self._references
            if (counts := _categories(week, measure))
        }
        alone, lasting = [], []
        for measure, counts in found.items():
            reference = self._references[measure]
            earlier = _categories(before, measure) if before else {}
            alone.append(reference.chance(counts))
            lasting.append(reference.chance(counts, earlier) if earlier else 1.0)
        comparisons = []
        for (measure, counts), by_itself, p in zip(
            found.items(), holm(alone), holm(lasting), strict=True
        ):
            moves = self._references[measure].moves(counts)
            comparisons.append(
                Comparison(
                    measure,
                    change=sum(abs(move) for move in moves.values()) / 2,
                    p=p,
                    alarm=p < self._alpha,
                    unusual=by_itself < self._alpha,
                    grown=max(moves.items(), key=lambda item: item[1], default=("", 0.0)),
                    shrunk=min(moves.items(), key=lambda item: item[1], default=("", 0.0)),
                )
            )
        return WeekVerdict(week.week, week, tuple(comparisons))


class _Reference:
    """One measure of the reference: each category's share, and how much its weeks vary."""

    def __init__(self, weeks: Sequence[Mapping[str, int]], least_change: float) -> None:
        total: Counter[str] = Counter()
        for week in weeks:
            total.update(week)
        self._records = total.total()
        self._counts = total
        self._least_change = least_change
        # Beside them stands the share of all rarer ones; where there are none, of the last.
        common = [name for name, count in total.most_common(_CATEGORIES) if count]
        self._common = common[:-1] if len(common) == len(total) > 1 else common
        self._weeks = len(weeks)
        angles = np.array([_angles(self._shares(week)) for week in weeks])
        self._means = angles.mean(axis=0)
        self._variances = angles.var(axis=0, ddof=1)

    def chance(self, *weeks: Mapping[str, int]) -> float:
        """Return the probability by chance of so large a difference in any category.

        It is 1 where none moved far enough, or none in all of the weeks.

        Args:
            weeks: One week, or several that are taken together.
        """
        p = self._p_values(*weeks)
        shares = np.mean([self._shares(week) for week in weeks], axis=0)
        moves = shares - self._shares(self._counts)
        enough = np.stack([moves, -moves]) >= self._least_change
        for week in weeks if len(weeks) > 1 else ():
            enough &= self._p_values(week) <= _EACH
        return float(min(1.0, p[enough].min(initial=1.0) * p.size))

    def _p_values(self, *weeks: Mapping[str, int]) -> NDArray[np.float64]:
        """Return how likely chance is to make each category grow, or shrink, as much: (2, C)."""
        records = min(sum(week.values()) for week in weeks)
        angles = np.mean([_angles(self._shares(week)) for week in weeks], axis=0)
        variances = np.maximum(self._variances, 1 / (4 * records))
        scale = np.sqrt(variances * (1 / len(weeks) + 1 / self._weeks))
        scores = (angles - self._means) / scale
        p: NDArray[np.float64] = t.sf(np.stack([scores, -scores]), self._weeks - 1)
        return p

    def _shares(self, week: Mapping[str, int]) -> NDArray[np.float64]:
        """Return the shares that are judged: the common categories', and that of all rarer ones."""
        counts = np.array([week.get(name, 0) for name in self._common], np.float64)
        records = sum(week.values())
        return np.append(counts, records - counts.sum()) / records

    def moves(self, week: Mapping[str, int]) -> dict[str, float]:
        """Return by how much of all records each category grew (above 0) or shrank."""
        own = sum(week.values())
        names = sorted(self._counts.keys() | week.keys())
        return {
            name: week.get(name, 0) / own - self._counts[name] / self._records for name in names
        }


def holm(p: Sequence[float]) -> list[float]:
    """Return p values corrected for how many they are, by Holm's method.

    S. Holm, A simple sequentially rejective multiple test procedure, Scand. J. Statist. 6 (1979).
    """
    corrected, least = [0.0] * len(p), 0.0
    for rank, place in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        least = max(least, min(1.0, (len(p) - rank) * p[place]))
        corrected[place] = least
    return corrected


def _angles(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the arcsine of each share's root, whose variance by chance is 1 / (4 n)."""
    angles: NDArray[np.float64] = np.arcsin(np.sqrt(shares))
    return angles


def _categories(week: WeekCounts, measure: str) -> dict[str, int]:
    """Return a measure's counts by category; empty where the week lacks what it takes."""
    if measure == "labels":
        return dict(week.labels)
    if measure == "confidence":
        ends = ((0, 3), (3, 5), (5, 7), (7, 9), (9, 10))  # of ten tenths
        return {f"{a / 10} to {b / 10}": sum(week.confidence[a:b]) for a, b in ends}
    if measure == "unfamiliar" and week.unfamiliar is None:
        return {}
    yes = week.abstained if measure == "abstention" else week.unfamiliar or 0
    return {"yes": yes, "no": week.records - yes}
