"""JSON: one object a line, or one object for all rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from cybersecqwen.apps.outputs.rows import MapRow
from cybersecqwen.core.jsonl import json_line


def write_jsonl(rows: Iterable[MapRow | dict[str, Any]]) -> Iterator[bytes]:
    """Return one JSON object a line."""
    yield from map(json_line, rows)


class JsonObjectWriter:
    """One JSON object: ``items`` and what is only known after the last of them.

    Args:
        closing: Returns the further members, such as problems and a summary; called at the end.
    """

    def __init__(self, closing: Callable[[], dict[str, Any]] = dict) -> None:
        self._closing = closing

    def __call__(self, rows: Iterable[MapRow | dict[str, Any]]) -> Iterator[bytes]:
        """Return the object, each row as it comes."""
        encode = msgspec.json.Encoder().encode
        yield b'{"items":['
        separator = b"\n"
        for row in rows:
            yield separator + encode(row)
            separator = b",\n"
        yield b"]"
        for name, value in self._closing().items():
            yield b',"%s":%s' % (name.encode(), encode(value))
        yield b"}\n"
