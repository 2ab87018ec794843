"""What the rows of a report add up to."""

from __future__ import annotations

import heapq
import re
from collections import Counter
from dataclasses import dataclass, field

from cybersecqwen.apps.outputs.rows import MapRow, RecordRow
from cybersecqwen.core.records import Band

SEVERITIES = ("critical", "high", "medium", "low", "none")
_UNKNOWN_SCORE = 5.0
_MOST_FIRST = 20
_CVE_YEAR = re.compile(r"CVE-(\d{4})-\d+", re.IGNORECASE)


@dataclass(slots=True)
class ReportSummary:
    """Counts over the rows that were added; ``view/results.js`` counts the same way.

    Attributes:
        rows: Answers.
        bands: Rows by band, as ``band_of`` gives it.
        labelled: Rows whose record has a label of its own.
        agreeing: Those whose answer is among the record's labels.
        cwes: Rows by answer.
        years: Rows by year of publication.
        severities: Rows by CVSS severity, the record's own or else ours.
        predicted: Of these, rows whose severity is ours.
        pairs: Rows by the record's first label and the answer, where they differ.
        model: Name and version of the model.
    """

    rows: int = 0
    bands: Counter[Band] = field(default_factory=Counter)
    labelled: int = 0
    agreeing: int = 0
    cwes: Counter[str] = field(default_factory=Counter)
    years: Counter[str] = field(default_factory=Counter)
    severities: Counter[str] = field(default_factory=Counter)
    predicted: int = 0
    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)
    model: str = ""
    _first: list[tuple[float, int, MapRow]] = field(default_factory=list)

    def add(self, row: MapRow) -> None:
        """Count a row."""
        self.rows += 1
        self.model = row.model
        self.bands[band_of(row)] += 1
        self.cwes[row.cwe] += 1
        if year := year_of(row):
            self.years[year] += 1
        if isinstance(row, RecordRow):
            if severity := row.shown_severity[1]:
                self.severities[severity] += 1
            self.predicted += row.scored_by_us
            if row.agrees is not None:
                self.labelled += 1
                self.agreeing += row.agrees
            if row.agrees is False:
                self.pairs[own_labels(row)[0], row.cwe] += 1
        if value := urgency(row):
            entry = (value, -self.rows, row)
            if len(self._first) < _MOST_FIRST:
                heapq.heappush(self._first, entry)
            else:
                heapq.heappushpop(self._first, entry)

    def first(self) -> list[MapRow]:
        """Return the rows that a person should look at first, the most urgent one first."""
        return [row for *_, row in sorted(self._first, key=lambda entry: entry[:2], reverse=True)]


def band_of(row: MapRow) -> Band:
    """Return how far an answer can be trusted; ``likely`` where it is not said how sure it is."""
    if row.abstained:
        return "unsure"
    return "sure" if row.band == "sure" else "likely"


def own_labels(row: RecordRow) -> tuple[str, ...]:
    """Return the record's own ids, NVD's first, each once."""
    return tuple(dict.fromkeys((*row.nvd_cwe, *row.cna_cwe)))


def year_of(row: MapRow) -> str:
    """Return the year of publication, else that of the CVE id, else an empty string."""
    published = row.published if isinstance(row, RecordRow) else ""
    if re.match(r"(19|20)\d\d-", published):
        return published[:4]
    found = _CVE_YEAR.fullmatch(row.id)
    return found[1] if found else ""


def urgency(row: MapRow) -> float:
    """Return how soon a person should look at a row; 0 for one that can wait.

    An answer that contradicts the record's label may show a wrong label; an unsure one has to be
    read. Among both the severe come first.
    """
    score = row.shown_severity[0] if isinstance(row, RecordRow) else None
    agrees = row.agrees if isinstance(row, RecordRow) else None
    severe = _UNKNOWN_SCORE if score is None else score
    if agrees is False and not row.abstained:
        return severe + 2 * row.confidence
    return severe + 1 - row.confidence if row.abstained and agrees is not True else 0.0


def review_reason(row: MapRow) -> str:
    """Return why a row is among those to look at first."""
    if isinstance(row, RecordRow) and row.agrees is False and not row.abstained:
        return f"the record says {', '.join(own_labels(row))}, its text reads as {row.cwe}"
    if row.backoff and row.backoff.cwe != row.cwe:
        return f"unsure, at least {row.backoff.cwe}"
    return "unsure"
