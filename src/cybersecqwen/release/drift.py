"""Whether a site's results have moved away from a reference, week by week.

Four measures of a week are compared with the reference's weeks: the mix of labels, the
distribution of confidence, the share of abstentions, and the share of texts with unfamiliar
words. Each is a set of shares. Records of one week resemble each other (a vendor publishes one
template many times), and some categories vary more from week to week than others, so that plain
tests of counts would call ordinary weeks unlikely. So each share (as arcsine of its root, which
makes the variance by chance the same everywhere) is judged as one more observation beside the
reference's weeks, by Student's t, its variance never taken to be less than chance alone makes
it. P values are corrected by Bonferroni's method within a measure and by Holm's over measures.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t

from cybersecqwen.release.results_profile import Profile, WeekCounts

ALPHA = 0.005
"""Probability of an alarm in a week without drift, over all measures together."""

LEAST_CHANGE = 0.05
"""Share of records that must have moved (total variation); less is no alarm, however certain."""

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
        p: Probability of so large a difference by chance, corrected for the week's other
            measures.
        alarm: Whether it is drift: unlikely to be chance, and large enough to matter.
        grown: The category that grew most and by how much of all records; empty without one.
        shrunk: The one that shrank most.
    """

    measure: str
    change: float
    p: float
    alarm: bool
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


class DriftTest:
    """Compares weeks with a reference, each alone and together with the week before.

    Args:
        profile: The reference.
        alpha: Probability of an alarm in a week without drift.
        least_change: Share of records that must have moved.
    """

    def __init__(
        self, profile: Profile, alpha: float = ALPHA, least_change: float = LEAST_CHANGE
    ) -> None:
        self._alpha, self._least_change = alpha, least_change
        weeks = [week for week in profile.weeks if week.records >= LEAST_RECORDS]
        self._references = {
            measure: _Reference([_categories(week, measure) for week in weeks])
            for measure in MEASURES
            if all(_categories(week, measure) for week in weeks)
        }

    def compare(self, week: WeekCounts, before: WeekCounts | None = None) -> WeekVerdict:
        """Judge one week, alone and together with the one before it if that is given."""
        if week.records < LEAST_RECORDS:
            return WeekVerdict(week.week, week, ())
        found = [
            (measure, reference, counts, self._chance(reference, counts, before, measure))
            for measure, reference in self._references.items()
            if (counts := _categories(week, measure))
        ]
        raw = [p for *_, p in found]
        corrected = holm(raw)
        comparisons = []
        for (measure, reference, counts, _), p in zip(found, corrected, strict=True):
            moves = reference.moves(counts)
            change = sum(abs(move) for move in moves.values()) / 2
            alarm = bool(p < self._alpha and change >= self._least_change)
            grown = max(moves.items(), key=lambda item: item[1], default=("", 0.0))
            shrunk = min(moves.items(), key=lambda item: item[1], default=("", 0.0))
            comparisons.append(Comparison(measure, change, float(p), alarm, grown, shrunk))
        return WeekVerdict(week.week, week, tuple(comparisons))

    def _chance(
        self,
        reference: _Reference,
        counts: Mapping[str, int],
        before: WeekCounts | None,
        measure: str,
    ) -> float:
        alone = reference.p_value(counts)
        if before is None or before.records < LEAST_RECORDS:
            return alone
        earlier = _categories(before, measure)
        together = reference.p_value(counts, earlier) if earlier else 1.0
        return min(1.0, 2 * min(alone, together))


class _Reference:
    """One measure of the reference: each category's share, and how much its weeks vary."""

    def __init__(self, weeks: Sequence[Mapping[str, int]]) -> None:
        total: Counter[str] = Counter()
        for week in weeks:
            total.update(week)
        self._records = total.total()
        self._counts = total
        common = [name for name, count in total.most_common(_CATEGORIES) if count]
        self._common = common[:-1] if len(common) == len(total) > 1 else common
        self._weeks = len(weeks)
        angles = np.array([[_angle(week, name) for name in self._common] for week in weeks])
        self._means = angles.mean(axis=0)
        self._variances = angles.var(axis=0, ddof=1)

    def p_value(self, *weeks: Mapping[str, int]) -> float:
        """Return the probability of so large a difference by chance, over all categories.

        Args:
            weeks: One week, or several taken together.
        """
        records = min(sum(week.values()) for week in weeks)
        angles = np.array([[_angle(week, name) for name in self._common] for week in weeks])
        variance = np.maximum(self._variances, 1 / (4 * records))
        scale = np.sqrt(variance * (1 / len(weeks) + 1 / self._weeks))
        raw = 2 * t.sf(np.abs(angles.mean(axis=0) - self._means) / scale, self._weeks - 1)
        return float(min(1.0, raw.min() * len(raw)))

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


def _angle(week: Mapping[str, int], name: str) -> float:
    """Return the arcsine of a share's root, whose variance by chance is 1 / (4 n)."""
    return float(np.arcsin(np.sqrt(week.get(name, 0) / sum(week.values()))))


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
