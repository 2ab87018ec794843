"""The columns of spreadsheets, and cells that no spreadsheet takes for formulas."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import msgspec

from cybersecqwen.apps.outputs.rows import Assessed, RecordRow
from cybersecqwen.apps.outputs.spool import RowSpool

Cell = str | float | bool | None

ANSWER_COLUMNS = (
    "id", "cwe", "name", "confidence", "band", "abstained", "backoff_cwe", "backoff_name",
    "backoff_probability", "candidates", "usage", "catalogue", "model", "agrees",
)  # fmt: skip
"""Columns about the answer."""

ASSESSED_COLUMNS = (
    "our_cvss", "our_cvss_score", "our_cvss_severity", "our_cvss4", "weaknesses", "techniques",
)  # fmt: skip
"""Columns about what the other specialists say."""

RECORD_COLUMNS = (
    "title", "description", "nvd_cwe", "cna_cwe", "cvss", "cvss_score", "cvss_severity",
    "published", "url",
)  # fmt: skip
"""Columns about the record; an input column of the same name stands in their place."""

_FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]|[\t\r\n]")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")


def is_formula(cell: str) -> bool:
    """Whether a spreadsheet may take a cell for a formula (OWASP, CSV Injection).

    The full-width forms count, since some spreadsheets read them as the plain ones; a plain
    number with a sign is what it looks like.
    """
    return _FORMULA.match(cell) is not None and _NUMBER.fullmatch(cell) is None


class SheetColumns:
    """The columns of one output, and each row's cells in their order.

    Args:
        spool: All rows.

    Attributes:
        names: The header. An input column that is called like one about the answer is carried
            through as ``input_NAME``.
    """

    def __init__(self, spool: RowSpool) -> None:
        answer = [*ANSWER_COLUMNS]
        if spool.replaced:
            answer.append("instead_of")
        if spool.explained:
            answer.append("reason")
        if spool.denies:
            answer.append("denied")
        if spool.assessed:
            answer += ASSESSED_COLUMNS
        own = [name for name in spool.columns if name != "id" or spool.own_id]
        self._record = [name for name in RECORD_COLUMNS if name not in own]
        self._own = own
        taken = {*answer, *self._record}
        header = []
        for name in own:
            free = name
            while free in taken:
                free = f"input_{free}"
            taken.add(free)
            header.append(free)
        self._answer = answer
        self.names = (*answer, *self._record, *header)

    def cells(self, row: RecordRow) -> Iterator[Cell]:
        """Return a row's cells, a number or truth value where it is one."""
        answer = _answer_cells(row)
        record = _record_cells(row)
        yield from (answer[name] for name in self._answer)
        yield from (record[name] for name in self._record)
        yield from (_plain(row.columns.get(name)) for name in self._own)


def _answer_cells(row: RecordRow) -> dict[str, Cell]:
    backoff, instead_of = row.backoff, row.instead_of
    return {
        "id": row.id,
        "cwe": row.cwe,
        "name": row.name,
        "confidence": row.confidence,
        "band": row.band,
        "abstained": row.abstained,
        "backoff_cwe": backoff.cwe if backoff else None,
        "backoff_name": backoff.name if backoff else None,
        "backoff_probability": backoff.probability if backoff else None,
        "candidates": _joined(f"{c.cwe} {c.probability:g}" for c in row.candidates),
        "usage": row.usage,
        "catalogue": row.catalogue,
        "model": row.model,
        "agrees": row.agrees,
        "instead_of": instead_of.cwe if instead_of else None,
        "reason": row.reason,
        "denied": _joined(row.denied),
        **_assessed_cells(row.assessed),
    }


def _assessed_cells(found: Assessed | None) -> dict[str, Cell]:
    if found is None:
        return dict.fromkeys(ASSESSED_COLUMNS)
    return {
        "our_cvss": found.vector,
        "our_cvss_score": found.score,
        "our_cvss_severity": found.severity,
        "our_cvss4": found.vector4,
        "weaknesses": _joined(f"{one.cwe} {one.probability:g}" for one in found.weaknesses),
        "techniques": _joined(f"{one.id} {one.probability:g}" for one in found.techniques),
    }


def _record_cells(row: RecordRow) -> dict[str, Cell]:
    return {
        "title": row.title,
        "description": row.description,
        "nvd_cwe": _joined(row.nvd_cwe),
        "cna_cwe": _joined(row.cna_cwe),
        "cvss": row.cvss,
        "cvss_score": row.cvss_score,
        "cvss_severity": row.cvss_severity,
        "published": row.published,
        "url": row.url,
    }


def _joined(parts: Iterable[str]) -> str:
    return "|".join(parts)


def _plain(value: object) -> Cell:
    """Return a value of the input as a cell: nested ones as JSON."""
    if value is None or isinstance(value, (str, bool, float)):
        return value
    if isinstance(value, int):
        return str(value)  # as it was: a spreadsheet rounds a number of more than 15 digits
    return msgspec.json.encode(value).decode()
