"""JSON as other programs write it: NaN and Infinity, and null where a field is simply absent.

Python's ``json`` module writes ``NaN`` where pandas had an empty cell, which is no JSON (RFC 8259,
section 6); many exporters write ``null`` for a text that is not there. Both mean "nothing".
"""

from __future__ import annotations

import re
import sys
from typing import Any, Generic, TypeVar

import msgspec

T = TypeVar("T")

DECODE_ERRORS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding JSON of others may raise."""

MAX_VALUES = 1_000_000
"""Values in JSON that is decoded into Python's own objects, some 50 to 200 bytes each."""

MAX_TYPED_VALUES = 3_000_000
"""Values in JSON that is decoded into a type, which leaves out what the type does not name."""


def compile_bytes(pattern: bytes) -> re.Pattern[bytes]:
    """Compile a pattern over bytes that may use possessive repeats.

    Before Python 3.11.5 a group that is repeated possessively matches wrongly (CPython's issues
    100061 and 106052). A greedy one finds the same, but remembers each step of a long string.
    """
    if sys.version_info < (3, 11, 5):
        pattern = pattern.replace(b"*+", b"*")
    return re.compile(pattern, re.DOTALL)


STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
"""A JSON string, as a pattern over bytes for ``compile_bytes``."""

_STRING_OR_NAN = compile_bytes(rb"(" + STRING + rb")|-?\bInfinity\b|\bNaN\b")


def count_values(content: bytes | msgspec.Raw, most: int) -> int:
    """Return the most values that JSON can hold, by its commas and brackets; 0 if under ``most``.

    What stands in strings is counted too, so that this takes little time; short JSON none.
    """
    if len(memoryview(content)) < most:
        return 0
    data = bytes(content)
    return data.count(b",") + data.count(b"[") + data.count(b"{") + 1


def _check_values(content: bytes | msgspec.Raw, most: int) -> None:
    if count_values(content, most) > most:
        raise msgspec.DecodeError(f"more than {most:,} values")


def nan_as_null(content: bytes) -> bytes:
    """Return the JSON with NaN, Infinity and -Infinity outside strings written as null."""
    if b"NaN" not in content and b"Infinity" not in content:
        return content
    return _STRING_OR_NAN.sub(lambda match: match[1] or b"null", content)


_NOT_WINDOWS = re.compile(rb"[\xc2-\xf4][\x80-\xbf]|[\xfe\xff]")
"""A sequence of UTF-8's, or letters that hardly any text has and damage often."""


def windows_as_utf8(content: bytes) -> bytes:
    """Return JSON in UTF-8 that was written in Windows-1252: bytes above ASCII, none as UTF-8's."""
    if content.isascii() or _NOT_WINDOWS.search(content):
        return content
    try:
        return content.decode("cp1252").encode("utf-8")
    except UnicodeDecodeError:
        return content


def without_nulls(value: Any) -> Any:
    """Return a decoded JSON value without the members and items that are null."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [without_nulls(item) for item in value if item is not None]
    return value


class LenientDecoder(Generic[T]):
    """Decodes JSON into a type; what the type refuses is tried again with nothing in place of null.

    Args:
        kind: The type, as msgspec takes it.
    """

    def __init__(self, kind: type[T]) -> None:
        self._decode = msgspec.json.Decoder(kind).decode

    def decode(self, content: bytes | msgspec.Raw) -> T:
        """Return the value.

        Raises:
            msgspec.DecodeError: It is no JSON, not of the type, nested too deeply, or of too many
                values.
            UnicodeDecodeError: It is not UTF-8.
        """
        _check_values(content, MAX_TYPED_VALUES)
        try:
            return self._decode_leniently(content)
        except RecursionError:
            raise msgspec.DecodeError("JSON is nested too deeply") from None

    def _decode_leniently(self, content: bytes | msgspec.Raw) -> T:
        try:
            return self._decode(content)
        except msgspec.DecodeError:
            plain = windows_as_utf8(nan_as_null(bytes(content)))
        try:
            return self._decode(plain)
        except msgspec.ValidationError:
            if b"null" not in plain:
                raise
            _check_values(plain, MAX_VALUES)
            value = without_nulls(msgspec.json.decode(plain))
            return self._decode(msgspec.json.encode(value))


def decode_lenient(content: bytes) -> Any:
    """Return any JSON value, NaN and Infinity as None.

    Raises:
        msgspec.DecodeError: It is no JSON, or of too many values.
    """
    _check_values(content, MAX_VALUES)
    try:
        return msgspec.json.decode(content)
    except msgspec.DecodeError:
        plain = windows_as_utf8(nan_as_null(content))
        if plain is content:
            raise
        return msgspec.json.decode(plain)
