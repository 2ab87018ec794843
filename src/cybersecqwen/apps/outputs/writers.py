"""Rows of ``map`` as a table, JSON lines, CSV or SARIF, one row at a time.

A writer turns rows into bytes and holds none of them (the table holds its first few, to find the
widths of its columns), so that memory does not grow with the output.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Literal, Protocol

import msgspec

from cybersecqwen.apps.outputs.rows import ExplainedRow, MapRow, NamedCwe
from cybersecqwen.core.taxonomy import Taxonomy
from cybersecqwen.core.text.clean import clean

Format = Literal["table", "jsonl", "csv", "sarif"]


class Writer(Protocol):
    """Turns a stream of rows into a document."""

    def __call__(self, rows: Iterable[MapRow]) -> Iterator[bytes]:
        """Return the document in pieces, each as soon as its rows are there."""
        ...


def write_jsonl(rows: Iterable[MapRow]) -> Iterator[bytes]:
    """Return one JSON object a line."""
    encode = msgspec.json.Encoder().encode
    for row in rows:
        yield encode(row) + b"\n"


_CSV_COLUMNS = (
    "id", "cwe", "name", "confidence", "abstained", "backoff_cwe", "backoff_name",
    "backoff_probability", "candidates", "model",
)  # fmt: skip


def write_csv(rows: Iterable[MapRow]) -> Iterator[bytes]:
    """Return CSV (RFC 4180, UTF-8, with a header).

    ``candidates`` is one cell: ``CWE-79 0.9|CWE-80 0.05``. A cell that a spreadsheet would take
    for a formula gets an apostrophe in front (OWASP, CSV Injection).
    """
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\r\n")

    def line(cells: Iterable[object]) -> bytes:
        buffer.seek(0)
        buffer.truncate()
        writer.writerow([_inert(cell) if isinstance(cell, str) else cell for cell in cells])
        return buffer.getvalue().encode("utf-8")

    yield line(_CSV_COLUMNS)
    for row in rows:
        backoff = row.backoff
        yield line(
            (
                row.id,
                row.cwe,
                row.name,
                row.confidence,
                "true" if row.abstained else "false",
                *((backoff.cwe, backoff.name, backoff.probability) if backoff else ("", "", "")),
                "|".join(f"{c.cwe} {c.probability:g}" for c in row.candidates),
                row.model,
            )
        )


def _inert(cell: str) -> str:
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) else cell


_SAMPLE_ROWS = 100


class TableWriter:
    """A table for people, no line longer than the terminal.

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
        yield self._line(id_width, "ID", "CWE", "SURE", "NAME")
        for row in chain(sample, stream):
            yield self._line(id_width, row.id, row.cwe, f"{row.confidence:.0%}", _remark(row))

    def _line(self, id_width: int, *cells: str) -> bytes:
        # An id comes from a stranger's file: nothing in it may reach the terminal as a command.
        identity, cwe, sure, name = map(clean, cells)
        line = f"{_cut(identity, id_width):<{id_width}}  {cwe:<8}  {sure:>4}  {name}"
        return f"{_cut(line, self._width).rstrip()}\n".encode()

    def single(self, row: MapRow) -> str:
        """Return one text's candidates, a line each, and what the model makes of them."""
        lines = [
            _cut(f"{c.cwe:<8}  {c.probability:>6.1%}  {c.name}", self._width)
            for c in row.candidates
        ]
        if row.abstained:
            lines += ["", _cut(f"Not sure enough: {_sure_of(row.backoff)}.", self._width)]
        if isinstance(row, ExplainedRow):
            lines += ["", clean(row.reason)]
        return "\n".join(lines) + "\n"


def _remark(row: MapRow) -> str:
    return (
        f"not sure: {_sure_of(row.backoff)}; best guess: {row.name}" if row.abstained else row.name
    )


def _sure_of(backoff: NamedCwe | None) -> str:
    if backoff is None:
        return "no ancestor is sure either"
    return f"a kind of {backoff.cwe} {backoff.name} ({backoff.probability:.0%})"


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: max(width - 1, 0)] + "…"


_SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


class SarifWriter:
    """A SARIF 2.1.0 log (OASIS standard) with one run.

    Results come first and the tool with its rules last, which JSON allows, so that the log
    streams: what is held is one rule per CWE id seen.

    Args:
        taxonomy: The catalogue, for names and its version.
        version: Version of this package.
    """

    def __init__(self, taxonomy: Taxonomy, version: str) -> None:
        self._taxonomy = taxonomy
        self._version = version

    def __call__(self, rows: Iterable[MapRow]) -> Iterator[bytes]:
        """Return the log."""
        encode = msgspec.json.Encoder().encode
        places: dict[str, int] = {}
        yield b'{"$schema":"%s","version":"2.1.0","runs":[{"results":[' % _SARIF_SCHEMA.encode()
        between = b"\n"
        for row in rows:
            place = places.setdefault(row.cwe, len(places))
            yield between + encode(_sarif_result(row, place))
            between = b",\n"
        yield b'\n],"columnKind":"unicodeCodePoints","tool":'
        yield encode(self._tool(list(places))) + b',"taxonomies":'
        yield encode([self._taxa(list(places))]) + b"}]}\n"

    def _tool(self, cwes: list[str]) -> dict[str, object]:
        return {
            "driver": {
                "name": "cybersecqwen",
                "semanticVersion": self._version,
                "supportedTaxonomies": [{"name": "CWE", "index": 0}],
                "rules": [
                    {
                        "id": cwe,
                        "shortDescription": {"text": self._taxonomy.name(cwe) or cwe},
                        "helpUri": help_uri(cwe),
                        "relationships": [
                            {"target": _taxon(cwe, place), "kinds": ["equal"]},
                        ],
                    }
                    for place, cwe in enumerate(cwes)
                ],
            }
        }

    def _taxa(self, cwes: list[str]) -> dict[str, object]:
        return {
            "name": "CWE",
            "version": self._taxonomy.version,
            "organization": "MITRE",
            "informationUri": "https://cwe.mitre.org/",
            "shortDescription": {"text": "The MITRE Common Weakness Enumeration"},
            "taxa": [
                {
                    "id": cwe,
                    "shortDescription": {"text": self._taxonomy.name(cwe) or cwe},
                    "helpUri": help_uri(cwe),
                }
                for cwe in cwes
            ],
        }


def help_uri(cwe: str) -> str:
    """Return MITRE's page about a canonical id."""
    return f"https://cwe.mitre.org/data/definitions/{cwe.removeprefix('CWE-')}.html"


def _taxon(cwe: str, place: int) -> dict[str, object]:
    return {"id": cwe, "index": place, "toolComponent": {"name": "CWE", "index": 0}}


def _sarif_result(row: MapRow, place: int) -> dict[str, object]:
    message = f"{row.id}: {row.cwe} {row.name} (confidence {row.confidence:.0%})"
    if row.abstained:
        message += f"; not sure enough: {_sure_of(row.backoff)}"
    return {
        "ruleId": row.cwe,
        "ruleIndex": place,
        "level": "note" if row.abstained else "warning",
        "message": {"text": message},
        "locations": [{"logicalLocations": [{"fullyQualifiedName": row.id, "kind": "advisory"}]}],
        "taxa": [_taxon(row.cwe, place)],
        "properties": {
            "confidence": row.confidence,
            "abstained": row.abstained,
            "candidates": row.candidates,
            "backoff": row.backoff,
            "model": row.model,
        },
    }


def writer_for(to: Format, *, taxonomy: Taxonomy, version: str, width: int) -> Writer:
    """Return a format's writer; ``width`` is the terminal's, in columns."""
    if to == "sarif":
        return SarifWriter(taxonomy, version)
    if to == "table":
        return TableWriter(width)
    return write_csv if to == "csv" else write_jsonl
