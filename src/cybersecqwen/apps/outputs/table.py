"""A table for people at a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice

from cybersecqwen.apps.outputs.rows import Assessed, MapRow, RecordRow
from cybersecqwen.core.text.clean import clean

_SAMPLE_ROWS = 100
_WIDE = 100
_ALIAS = re.compile(r"\('([^']+)'\)")

LABELLER_NAMES = {"nvd": "NVD", "cna": "Vendor (CNA)"}
"""What a labeller is called in front of people."""


class TableWriter:
    """A table, no line longer than the terminal.

    Args:
        width: Columns of the terminal.
    """

    def __init__(self, width: int) -> None:
        self._width = width

    def __call__(self, rows: Iterable[MapRow]) -> Iterator[bytes]:
        """Return the table; the first rows fix the columns' widths."""
        stream = iter(rows)
        sample = list(islice(stream, _SAMPLE_ROWS))
        longest = max([len("ID"), *(len(clean(row.id)) for row in sample)])
        id_width = min(longest, max(self._width // 3, len("CVE-2024-12345")))
        found = any(_assessed(row) for row in sample)
        more = self._more("CVSS", "ATT&CK") if found else ""
        yield self._line(id_width, "ID", "CWE", "SURE", more, "NAME", "")
        for row in chain(sample, stream):
            more = self._more(*_assessed_cells(_assessed(row))) if found else ""
            yield self._line(
                id_width, row.id, row.cwe, f"{row.confidence:.0%}", more, row.name, remark(row)
            )

    def _more(self, score: str, technique: str) -> str:
        # The weakness's name goes before the technique where there is not room for both.
        shown = f"{score:>4}  "
        return shown if self._width < _WIDE else f"{shown}{technique:<9}  "

    def _line(
        self, id_width: int, identity: str, cwe: str, sure: str, more: str, name: str, remark: str
    ) -> bytes:
        # An id is untrusted input: nothing in it may reach the terminal as a command.
        identity, cwe, sure, name = map(clean, (identity, cwe, sure, name))
        head = f"{_cut(identity, id_width):<{id_width}}  {cwe:<8}  {sure:>4}  {more}"
        tail = f"  ({remark})" if remark else ""
        room = self._width - len(head) - len(tail)
        line = f"{head}{short_name(name, room)}{tail}"
        return f"{_cut(line, self._width).rstrip()}\n".encode()

    def single(self, row: MapRow, conventions: Mapping[str, MapRow] | None = None) -> str:
        """Return the answer to one text: what each convention says, then the candidates.

        Args:
            row: The text's row, whose candidates are listed.
            conventions: The text's row by labeller; left out where it is one alone.
        """
        lines = []
        if conventions and len(conventions) > 1:
            lines += [self._convention(who, said) for who, said in conventions.items()]
            lines.append("")
        lines += [
            _cut(f"{c.cwe:<8}  {c.probability:>6.1%}  {c.name}", self._width)
            for c in row.candidates
        ]
        if row.instead_of:
            own = row.instead_of
            lines += ["", f"{row.cwe} is proposed instead of {own.cwe}, which is {own.usage}."]
        elif row.abstained:
            lines += ["", _cut(_unsure_sentence(row), self._width)]
        elif row.usage in {"discouraged", "prohibited"}:
            lines += ["", _cut(f"MITRE's mapping usage of {row.cwe}: {row.usage}.", self._width)]
        if row.denied:
            lines += ["", denied_sentence(row.denied)]
        if row.reason:
            lines += ["", clean(row.reason)]
        return "\n".join(lines) + "\n"

    def _convention(self, labeller: str, row: MapRow) -> str:
        who = LABELLER_NAMES.get(labeller, labeller)
        head = f"{who:<12}  {row.cwe:<8}  {row.confidence:>4.0%}  "
        note = remark(row)
        tail = f"  ({note})" if note else ""
        return f"{head}{short_name(row.name, self._width - len(head) - len(tail))}{tail}"


def _assessed(row: MapRow) -> Assessed | None:
    return row.assessed if isinstance(row, RecordRow) else None


def _assessed_cells(found: Assessed | None) -> tuple[str, str]:
    """Return the predicted score and the likeliest technique."""
    score = f"{found.score:.1f}" if found else ""
    return score, found.techniques[0].id if found and found.techniques else ""


def remark(row: MapRow) -> str:
    """Return what a person must know about an answer, in a few words; nothing if it is sure."""
    if row.instead_of:
        return f"for {row.instead_of.cwe}"
    if not row.abstained:
        return "likely" if row.band == "likely" else ""
    if row.backoff and row.backoff.cwe != row.cwe:
        return f"at least {row.backoff.cwe}"
    return "unsure"


def _unsure_sentence(row: MapRow) -> str:
    backoff = row.backoff
    if backoff is None:
        return "Unsure: no broader weakness is sure either."
    if backoff.cwe == row.cwe:
        return f"Unsure which kind of {row.cwe} it is ({backoff.probability:.0%} that it is one)."
    return f"Unsure, but at least {backoff.cwe} ({backoff.probability:.0%}): {backoff.name}."


def denied_sentence(denied: Sequence[str]) -> str:
    """Return what a person is told of the words by which a text denies a flaw."""
    words = "; ".join(f'"{clean(said)}"' for said in denied)
    return f"Denied in the text: {words}."


def short_name(name: str, width: int) -> str:
    """Return MITRE's name of a weakness in so many columns: where it is too long, by its alias."""
    if len(name) <= width:
        return name
    alias = _ALIAS.search(name)
    return _cut(alias[1] if alias else name, width)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: max(width - 1, 0)] + "…"
