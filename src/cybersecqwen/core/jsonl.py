"""JSONL files of our own: one record a line, read with line numbers and written atomically."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.files import atomic_write
from cybersecqwen.core.lenient_json import LenientDecoder

RowT = TypeVar("RowT")

_ENCODE = msgspec.json.Encoder().encode


def read_lines(
    path: Path, decode: Callable[[bytes], RowT], what: str
) -> Iterator[tuple[int, RowT]]:
    """Yield what each line of a JSONL file decodes to, with its number, counted from 1.

    Blank lines are skipped.

    Args:
        path: The file.
        decode: Reads a line; raises ``msgspec.MsgspecError`` or ``ValueError`` where it cannot.
        what: What such a line is called in the message, such as ``not a corpus row``.

    Raises:
        InputError: The file cannot be read, or a line cannot; the message names it.
    """
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                try:
                    yield number, decode(line)
                except (msgspec.MsgspecError, ValueError) as error:  # Unicode's errors too
                    raise InputError(f"{path}:{number}: {what}: {error}") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error}") from error


def read_rows(path: Path, kind: type[RowT], what: str) -> Iterator[tuple[int, RowT]]:
    """Yield each record of a JSONL file with its line number, counted from 1.

    Args:
        path: The file.
        kind: The records' type, as msgspec decodes it; NaN and Infinity count as null.
        what: What a line of another type is called in the message.

    Raises:
        InputError: The file cannot be read, or a line is no such record; the message names it.
    """
    return read_lines(path, LenientDecoder(kind).decode, what)


def write_rows(path: Path, rows: Iterable[object]) -> None:
    """Write records as a JSONL file, atomically.

    Raises:
        OSError: The folder cannot be written.
    """
    with atomic_write(path) as stream:
        stream.writelines(map(json_line, rows))


def json_line(value: object) -> bytes:
    """Return a value as one line of UTF-8 JSON; what no UTF-8 has (lone surrogates) spelt out."""
    try:
        return _ENCODE(value) + b"\n"
    except UnicodeEncodeError:
        return _ENCODE(_spelt_out(msgspec.to_builtins(value))) + b"\n"


def _spelt_out(value: Any) -> Any:
    """Return plain data with the surrogates in its texts spelt out."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, dict):
        return {_spelt_out(key): _spelt_out(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_spelt_out(item) for item in value]
    return value
