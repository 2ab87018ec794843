"""JSON lines: one object a row, as it comes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from cybersecqwen.apps.outputs.rows import MapRow


def write_jsonl(rows: Iterable[MapRow]) -> Iterator[bytes]:
    """Return one JSON object a line."""
    encode = msgspec.json.Encoder().encode
    for row in rows:
        yield encode(row) + b"\n"
