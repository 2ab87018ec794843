"""The tables of a report: what one task's logs show, each beside the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cybersecqwen.evaluation.compare import LogComparison
from cybersecqwen.evaluation.hierarchy import RELATIONS
from cybersecqwen.evaluation.report.summary import Abstention, Summary
from cybersecqwen.evaluation.scoring import Scored

_MISTAKES_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Table:
    """Headings and cells.

    Attributes:
        heads: One per column.
        rows: Cells as text.
        text_columns: How many columns from the left hold text; the others hold numbers.
    """

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    text_columns: int = 1


@dataclass(frozen=True, slots=True)
class IntervalBar:
    """A system's accuracy with its 95 % interval, shares from 0 to 1."""

    name: str
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class IntervalChart:
    """Accuracies that may be compared: all closed-book or all open-book, best first."""

    heading: str
    bars: tuple[IntervalBar, ...]


@dataclass(frozen=True)
class ReportSection:
    """One task's logs, scored.

    Attributes:
        title: The task's title.
        names: A short name for each system.
        scored: Each system's readings.
        summaries: Each system's summary.
        comparison: The paired tests, where there are two systems or more.
    """

    title: str
    names: list[str]
    scored: list[Scored]
    summaries: list[Summary]
    comparison: LogComparison | None


def intervals_of(section: ReportSection) -> list[IntervalChart]:
    """Return the accuracies of a section's systems, closed-book before open-book."""
    charts = []
    for book, heading in ((False, "Accuracy, closed book"), (True, "Accuracy, open book")):
        bars = [
            IntervalBar(name, summary.accuracy, summary.ci95.low, summary.ci95.high)
            for name, summary in zip(section.names, section.summaries, strict=True)
            if summary.open_book == book
        ]
        if bars:
            charts.append(IntervalChart(heading, tuple(sorted(bars, key=lambda bar: -bar.value))))
    return charts


def tables_of(section: ReportSection) -> list[tuple[str, Table]]:
    """Return the tables that a section has something to put in, with their headings."""
    tables = [("Results", _results(section))]
    if section.comparison is not None:
        tables.append(("Paired differences", _pairs(section.comparison)))
    if any(summary.hierarchy for summary in section.summaries):
        tables.append(("By place in the CWE catalogue", _relations(section)))
    if any(summary.ece is not None for summary in section.summaries):
        tables.append(("Calibration", _calibration(section)))
    if any(summary.one_letter for summary in section.summaries):
        tables.append(("Warning: nearly all answers are one letter", _one_letter(section)))
    if any(summary.confusions for summary in section.summaries):
        tables.append(("Commonest mistakes", _mistakes(section)))
    return tables


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _results(section: ReportSection) -> Table:
    extras = [
        (label, name)
        for label, name in (
            ("deviation of the base score", "mad"),
            ("micro F1", "micro_f1"),
            ("macro F1", "macro_f1"),
            ("plausible", "plausible"),
            ("top-5", "top5"),
        )
        if any(getattr(summary, name) is not None for summary in section.summaries)
    ]
    books = sorted({summary.open_book for summary in section.summaries})
    rows = []
    for name, summary in zip(section.names, section.summaries, strict=True):
        cell = f"{summary.accuracy:.4f} {summary.ci95:.4f}"
        rows.append(
            [
                name,
                *(cell if summary.open_book == book else "" for book in books),
                summary.protocol,
                f"{summary.n:,}" + ("" if summary.complete else " (unfinished)"),
                str(summary.trials),
                _trial_spread(summary),
                f"{summary.parse_failures:,} ({summary.parse_failure_rate:.1%})",
                *(_share(getattr(summary, field)) for _, field in extras),
            ]
        )
    rows.append(_majority(section, books, len(extras)))
    heads = [
        "System",
        *("Accuracy, open book" if book else "Accuracy, closed book" for book in books),
        "Protocol",
        "Items",
        "Trials",
        "Spread over trials",
        "Unreadable",
        *(label for label, _ in extras),
    ]
    return Table(heads, rows)


def _trial_spread(summary: Summary) -> str:
    if summary.trials > 1:
        return f"{summary.spread.trial_sd:.4f}"
    released = summary.released_trials
    if len(released) < 2:
        return ""
    return f"{np.std(released, ddof=1):.4f} ({len(released)} released trials)"


def _majority(section: ReportSection, books: Sequence[bool], extras: int) -> list[str]:
    golds = Counter(row.gold for row in section.scored[0].items())
    (answer, count), *_ = golds.most_common(1)
    total = sum(golds.values())
    name = f"always {answer}" if len(answer) <= 40 else "always the commonest answer"
    # A constant looks nothing up: it stands beside closed-book results where there are any.
    cells = [f"{count / total:.4f}" if book == books[0] else "" for book in books]
    return [name, *cells, "baseline", f"{total:,}", *[""] * (3 + extras)]


def _pairs(comparison: LogComparison) -> Table:
    rows = []
    for pair in comparison.pairs:
        test = pair.test
        rows.append(
            [
                pair.a,
                pair.b,
                f"{test.difference:+.4f} {test.ci95:+.4f}",
                f"{test.n:,}",
                f"{test.only_a:,}",
                f"{test.only_b:,}",
                f"{test.p_mcnemar:.2g}",
                "" if test.p_holm is None else f"{test.p_holm:.2g}",
            ]
        )
    heads = ["A", "B", "A less B", "Items", "Only A right", "Only B right", "McNemar p", "Holm p"]
    return Table(heads, rows, text_columns=2)


def _one_letter(section: ReportSection) -> Table:
    rows = []
    for name, summary in zip(section.names, section.summaries, strict=True):
        if (found := summary.one_letter) is not None:
            counts = f"{found.count:,} of {found.answers:,}"
            rows.append([name, found.letter, counts, f"{found.share:.1%}", f"{found.expected:.1%}"])
    return Table(["System", "Letter", "Answers", "Share", "Right answer of"], rows, text_columns=2)


def _relations(section: ReportSection) -> Table:
    rows = []
    for name, summary in zip(section.names, section.summaries, strict=True):
        judged = summary.hierarchy
        if judged is not None:
            shares = [f"{judged.relations[relation]:.4f}" for relation in RELATIONS]
            unfit = [f"{judged.discouraged:.4f}", f"{judged.prohibited:.4f}"]
            rows.append([name, *shares, f"{judged.within_one:.4f}", f"{judged.f1:.4f}", *unfit])
    heads = [
        "System",
        *RELATIONS,
        "within one step",
        "hierarchical F1",
        "discouraged",
        "prohibited",
    ]
    return Table(heads, rows)


def _calibration(section: ReportSection) -> Table:
    rows = [
        [
            name,
            _share(summary.ece),
            _share(summary.ece_equal_width),
            _share(summary.brier),
            _share(summary.aurc),
            _share(summary.accuracy_at_70_coverage),
            *_abstention(summary.abstention),
        ]
        for name, summary in zip(section.names, section.summaries, strict=True)
        if summary.ece is not None
    ]
    heads = [
        "System",
        "ECE, equal mass",
        "ECE, equal width",
        "Brier",
        "Area under risk-coverage",
        "Accuracy at 70 % coverage",
        "Coverage at its own threshold",
        "Accuracy there",
        "Backed off",
        "Backed off rightly",
    ]
    return Table(heads, rows)


def _abstention(found: Abstention | None) -> list[str]:
    if found is None:
        return [""] * 4
    shares = (found.coverage, found.accuracy_answered, found.backoff, found.backoff_right)
    return [_share(share) for share in shares]


def _mistakes(section: ReportSection) -> Table:
    counts: Counter[tuple[str, str | None]] = Counter()
    for summary in section.summaries:
        counts.update({(wrong.gold, wrong.answer): wrong.count for wrong in summary.confusions})
    made = [
        Counter((row.gold, reading) for row, reading in zip(one.rows, one.readings, strict=True))
        for one in section.scored
    ]
    rows = [
        [
            gold,
            "unreadable" if said is None else said,
            *(f"{counter[gold, said]:,}" for counter in made),
        ]
        for (gold, said), _ in counts.most_common(_MISTAKES_SHOWN)
    ]
    return Table(["Expected", "Answered", *section.names], rows, text_columns=2)
