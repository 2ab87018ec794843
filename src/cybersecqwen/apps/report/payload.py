"""The rows of a report as its script reads them: packed, a part at a time."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import msgspec

from cybersecqwen.apps.outputs.rows import MapRow, RecordRow
from cybersecqwen.apps.report.summary import band_of, own_labels, year_of
from cybersecqwen.core.taxonomy import Taxonomy

_BANDS = ("sure", "unsure", "likely")
_ROWS_A_PART = 1000
_LEVEL = 6
_DIGITS = 4


def packed_parts(rows: Iterable[MapRow]) -> Iterator[str]:
    """Return parts of the rows, each JSON in zlib's format (RFC 1950) in Base64."""
    encode = msgspec.json.Encoder().encode
    stream = iter(rows)
    while part := [_short(row) for row in islice(stream, _ROWS_A_PART)]:
        yield base64.b64encode(zlib.compress(encode(part), _LEVEL)).decode("ascii")


def _short(row: MapRow) -> list[Any]:
    """Return a row as a list; ``view/report.js`` names its places."""
    record = row if isinstance(row, RecordRow) else None
    score, severity = record.shown_severity if record else (None, "")
    return [
        row.id,
        row.cwe,
        round(row.confidence, _DIGITS),
        _BANDS.index(band_of(row)),
        row.backoff.cwe if row.backoff else "",
        [(c.cwe, round(c.probability, _DIGITS)) for c in row.candidates],
        row.reason,
        year_of(row),
        own_labels(record) if record else (),
        record.agrees if record else None,
        score,
        severity,
        record.url if record and not row.id.upper().startswith("CVE-") else "",
        record.title if record else "",
        record.description if record else "",
        record.columns if record else {},
        record.assessed if record else None,
        record.scored_by_us if record else False,
        row.denied,
    ]


def tree_of(cwes: Iterable[str], taxonomy: Taxonomy) -> dict[str, dict[str, str]]:
    """Return name, first parent and usage of ids and of what is above them."""
    tree: dict[str, dict[str, str]] = {}
    for cwe in cwes:
        step = cwe
        while step and step not in tree:
            entry = taxonomy.get(step)
            parent = next(iter(entry.parents), "") if entry else ""
            tree[step] = {
                "name": entry.name if entry else "",
                "parent": parent,
                "usage": entry.usage if entry else "",
            }
            step = parent
    return tree
