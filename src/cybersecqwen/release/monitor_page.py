"""The monitor's report as one HTML page that loads nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from markupsafe import Markup, escape

from cybersecqwen.core.html_page import page_templates
from cybersecqwen.core.taxonomy import shipped_taxonomy
from cybersecqwen.release.drift import (
    ALPHA,
    LEAST_CHANGE,
    LEAST_RECORDS,
    MEASURES,
    Comparison,
    WeekVerdict,
)
from cybersecqwen.release.feedback import FeedbackSummary
from cybersecqwen.release.results_profile import Profile, WeekCounts

_MEANING = {
    "labels": "Other weaknesses than before are reported, or the model calls them differently. "
    "Look at the table of commonest weaknesses first.",
    "confidence": "The model is surer, or less sure, than it was. Less sure often means that texts "
    "are shorter, or of another kind.",
    "abstention": "More records, or fewer, are left to a person. Plan hands accordingly, and look "
    "at what is left.",
    "unfamiliar": "Texts use words that the reference's did not. New products do that, and so do "
    "texts in another language or of another kind, which the model was not made for.",
}
_COMMONEST = 12
_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 720, 150, 40, 30, 10


class Report(Protocol):
    """What the page is about; see ``apps.monitor.MonitorReport``."""

    @property
    def model(self) -> str:
        """Name and version of the model."""

    @property
    def weeks(self) -> tuple[WeekVerdict, ...]:
        """Verdicts, oldest first."""

    @property
    def feedback(self) -> FeedbackSummary | None:
        """What corrections say."""


def render_page(report: Report, profile: Profile) -> str:
    """Return the page.

    Args:
        report: The verdicts.
        profile: What results were compared with.
    """
    taxonomy = shipped_taxonomy()
    template = page_templates("cybersecqwen.release").get_template("monitor.html.j2")
    return template.render(
        report=report,
        headline=_headline(report.weeks),
        recent=[week for week in report.weeks[-2:] if week.alarm],
        alpha=ALPHA,
        least_change=LEAST_CHANGE,
        least_records=LEAST_RECORDS,
        measures=[
            {"title": title, "meaning": _MEANING[measure], "chart": _chart(title, changes)}
            for measure, title in MEASURES.items()
            if (changes := _changes(report.weeks, measure))
        ],
        labels=list(_label_rows(profile, [week.counts for week in report.weeks[-2:]])),
        weeks=[
            {
                "week": verdict.week,
                "records": verdict.counts.records,
                "alarm": verdict.alarm,
                "text": _told(verdict),
            }
            for verdict in reversed(report.weeks)
        ],
        names=taxonomy.name,
    )


def _headline(weeks: Sequence[WeekVerdict]) -> str:
    recent = [week for week in weeks[-2:] if week.alarm]
    earlier = [week.week for week in weeks[:-2] if week.alarm]
    if recent:
        moved = dict.fromkeys(MEASURES[c.measure] for w in recent for c in w.comparisons if c.alarm)
        return (
            f"Something has changed in the last two weeks: {', '.join(moved)}. Look at a sample of "
            "answers before you rely on them; if they are wrong more often, the thresholds or the "
            "model no longer fit."
        )
    if earlier:
        return f"The last two weeks are as usual. Earlier weeks were not: {', '.join(earlier)}."
    return "Nothing has changed: the results are like those that the model was validated on."


def _told(verdict: WeekVerdict) -> str:
    if not verdict.comparisons:
        return "too few records to tell"
    drifted = [comparison for comparison in verdict.comparisons if comparison.alarm]
    once = [comparison for comparison in verdict.comparisons if comparison.unusual]
    if once and not drifted:
        told = "; ".join(_moved(comparison) for comparison in once)
        return f"unusual, for this week alone: {told}"
    return "; ".join(map(_sentence, drifted)) or "as usual"


def _sentence(comparison: Comparison) -> str:
    chance = "less than 1 in 1,000" if comparison.p < 0.001 else f"{comparison.p:.3f}"
    return f"{_moved(comparison)} (by chance: {chance})"


def _moved(comparison: Comparison) -> str:
    (more, up), (less, down) = comparison.grown, comparison.shrunk
    detail = f"{more} {up:+.0%}, {less} {down:+.0%}"
    if comparison.measure in ("abstention", "unfamiliar"):
        detail = f"{up if more == 'yes' else down:+.0%}"
    return f"{MEASURES[comparison.measure]}: {detail}"


def _changes(weeks: Iterable[WeekVerdict], measure: str) -> list[tuple[str, float, bool]]:
    return [
        (verdict.week, comparison.change, comparison.alarm)
        for verdict in weeks
        for comparison in verdict.comparisons
        if comparison.measure == measure
    ]


def _chart(title: str, changes: Sequence[tuple[str, float, bool]]) -> Markup:
    """Return bars, one a week, in SVG."""
    top = max(0.2, *(change for _, change, _ in changes))
    step = (_WIDTH - _LEFT) / len(changes)
    inner = _HEIGHT - _BOTTOM - _TOP
    told = "; ".join(f"{week} {change:.0%}" for week, change, _ in changes)
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{escape(title)}, share moved: {escape(told)}">'
    ]
    for number, (week, change, alarm) in enumerate(changes):
        height = change / top * inner
        kind = "week alarm" if alarm else "week"
        parts.append(
            f'<rect class="{kind}" x="{_LEFT + number * step + step * 0.15:.1f}" '
            f'y="{_HEIGHT - _BOTTOM - height:.1f}" width="{step * 0.7:.1f}" '
            f'height="{height:.1f}"><title>{escape(week)}: {change:.1%}</title></rect>'
        )
        if number % max(1, len(changes) // 8) == 0:
            parts.append(
                f'<text x="{_LEFT + (number + 0.5) * step:.1f}" y="{_HEIGHT - 12}" '
                f'text-anchor="middle">{escape(week)}</text>'
            )
    parts.append(
        f'<path d="M{_LEFT} {_TOP}V{_HEIGHT - _BOTTOM}H{_WIDTH}"/>'
        f'<text x="{_LEFT - 4}" y="{_TOP + 8}" text-anchor="end">{top:.0%}</text></svg>'
    )
    return Markup("".join(parts))


def _label_rows(profile: Profile, recent: Sequence[WeekCounts]) -> Iterable[dict[str, Any]]:
    before, after = Counter[str](), Counter[str]()
    for week in profile.weeks:
        before.update(week.labels)
    for week in recent:
        after.update(week.labels)
    taxonomy = shipped_taxonomy()
    total, own = before.total() or 1, after.total() or 1
    ranked = sorted(before | after, key=lambda cwe: -(before[cwe] / total + after[cwe] / own))
    for cwe in ranked[:_COMMONEST]:
        name = taxonomy.name(cwe)
        yield {"cwe": cwe, "name": name, "before": before[cwe] / total, "after": after[cwe] / own}
