"""The report's figures in Markdown, for a ticket, a wiki or a mail."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import get_args

from cybersecqwen.apps.outputs.rows import MapRow, RecordRow
from cybersecqwen.apps.outputs.sarif import help_uri
from cybersecqwen.apps.report.summary import SEVERITIES, ReportSummary, review_reason
from cybersecqwen.core.records import Band
from cybersecqwen.core.taxonomy import Taxonomy

_TOP = 15
_PAIRS = 10
_TEXT_CHARACTERS = 160
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#+!|~])")


@dataclass(frozen=True, slots=True)
class FigureTable:
    """A table of figures.

    Attributes:
        title: Its heading.
        head: Its columns.
        lines: Its rows, each a cell a column; numbers are formatted.
    """

    title: str
    head: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]


def figures_of(summary: ReportSummary, taxonomy: Taxonomy) -> list[FigureTable]:
    """Return the figures of a report; tables that would be empty are left out."""
    rows = summary.rows
    cwes = sorted(summary.cwes.items(), key=lambda pair: (-pair[1], int(pair[0][4:])))
    pairs = sorted(summary.pairs.items(), key=lambda pair: (-pair[1], pair[0]))
    tables = [
        FigureTable(
            "Weaknesses",
            ("Weakness", "Name", "Records", "Share"),
            tuple((cwe, taxonomy.name(cwe), f"{n:,}", _share(n, rows)) for cwe, n in cwes[:_TOP]),
        ),
        FigureTable(
            "How sure",
            ("Answers", "Records", "Share"),
            tuple(
                (name, f"{summary.bands[name]:,}", _share(summary.bands[name], rows))
                for name in get_args(Band)
                if rows
            ),
        ),
        FigureTable(
            "By severity",
            ("Severity", "Records", "Share"),
            tuple(
                (name, f"{summary.severities[name]:,}", _share(summary.severities[name], rows))
                for name in SEVERITIES
                if summary.severities[name]
            ),
        ),
        FigureTable(
            "By year",
            ("Year", "Records", "Share"),
            tuple((year, f"{n:,}", _share(n, rows)) for year, n in sorted(summary.years.items())),
        ),
        FigureTable(
            "Where the record's label differs",
            ("The record says", "Its text reads as", "Name", "Records"),
            tuple((said, cwe, taxonomy.name(cwe), f"{n:,}") for (said, cwe), n in pairs[:_PAIRS]),
        ),
    ]
    return [table for table in tables if table.lines]


class MarkdownReportWriter:
    """The figures, and what a person should look at first.

    Args:
        taxonomy: The catalogue, for names.
        version: Version of this package.
        title: What was mapped: a file's name.
    """

    def __init__(self, taxonomy: Taxonomy, version: str, title: str) -> None:
        self._taxonomy = taxonomy
        self._version = version
        self._title = title

    def __call__(self, rows: Iterable[MapRow]) -> Iterator[bytes]:
        """Return the document."""
        summary = ReportSummary()
        for row in rows:
            summary.add(row)
        yield "\n".join(self._lines(summary)).encode("utf-8")

    def _lines(self, summary: ReportSummary) -> Iterator[str]:
        yield f"# Weaknesses in {_plain(self._title or 'mapped records')}"
        yield ""
        yield from (f"- {line}" for line in headlines(summary))
        for table in figures_of(summary, self._taxonomy):
            yield from ("", f"## {table.title}", "")
            yield from _table(table.head, table.lines)
        first = summary.first()
        if first:
            yield from ("", "## Look at these first", "")
            yield from map(self._first_line, first)
        yield ""
        yield (
            f"Made by cybersecqwen {self._version} with {summary.model or 'no model'}; "
            f"names from CWE {self._taxonomy.version}."
        )
        yield ""

    def _first_line(self, row: MapRow) -> str:
        url = row.url if isinstance(row, RecordRow) else ""
        link = re.fullmatch(r"https?://[^\s()<>\"]+", url)
        name = f"[{_plain(row.id)}]({url})" if link else _plain(row.id)
        score = ""
        text = ""
        if isinstance(row, RecordRow):
            value, severity = row.shown_severity
            ours = ", by our reading" if row.scored_by_us else ""
            score = f" ({severity} {value}{ours})" if severity else ""
            text = " ".join(row.description.split())
            text = text if len(text) <= _TEXT_CHARACTERS else f"{text[: _TEXT_CHARACTERS - 1]}…"
        return (
            f"- {name}{score}: [{row.cwe}]({help_uri(row.cwe)}) {_plain(row.name)}, "
            f"{row.confidence:.0%}; {review_reason(row)}. {_plain(text)}".rstrip()
        )


def headlines(summary: ReportSummary) -> list[str]:
    """Return the sentences that a report begins with."""
    rows, labelled = summary.rows, summary.labelled
    bands = ", ".join(
        f"{summary.bands[name]:,} {name} ({_share(summary.bands[name], rows)})"
        for name in get_args(Band)
    )
    said = [f"Records answered: {rows:,}, of which {bands}."]
    if labelled:
        agreeing = summary.agreeing
        said.append(
            f"Records with a label of their own: {labelled:,}; the answer agrees with it for "
            f"{agreeing:,} ({_share(agreeing, labelled)})."
        )
    severe = summary.severities["critical"] + summary.severities["high"]
    if summary.severities.total():
        ours = f", {summary.predicted:,} of them by our reading" if summary.predicted else ""
        scored = summary.severities.total()
        said.append(f"Critical or high: {severe:,} of {scored:,} with a CVSS score{ours}.")
    return said


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "–"


def _plain(text: str) -> str:
    """Return untrusted text so that Markdown takes nothing of it for markup."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _table(head: tuple[str, ...], lines: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"| {' | '.join('---' for _ in head)} |"
    for line in lines:
        yield f"| {' | '.join(map(_plain, line))} |"
