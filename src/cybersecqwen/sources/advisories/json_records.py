"""JSON of any layout, read as a stream of records of whichever formats its objects are."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from cybersecqwen.core.lenient_json import decode_lenient, nan_as_null
from cybersecqwen.core.records import RecordProblem
from cybersecqwen.sources.advisories.advisory_fields import DECODE_ERRORS, decode_problem
from cybersecqwen.sources.advisories.columns import find_roles
from cybersecqwen.sources.advisories.formats import (
    Json,
    JsonFormat,
    Place,
    ReadOptions,
    Record,
)
from cybersecqwen.sources.advisories.refusals import json_refusal
from cybersecqwen.sources.advisories.rows import is_row, parse_row, row_of
from cybersecqwen.sources.io.json_stream import elements, prefix_value, whole_objects
from cybersecqwen.sources.io.streams import (
    ByteSource,
    NotRecordsError,
    UnreadableError,
    lines,
)

ROWS = "jsonl"
"""The name of what is no known format: rows with a text."""

_LINES_TRIED = 20
_JSON = re.compile(rb'\{\s*["}]|\[\s*[\]{"]')


@dataclass(frozen=True, slots=True)
class _Layout:
    """Of a document: whose it is, and which of its members hold the records."""

    format: JsonFormat | None
    members: tuple[str, ...]


class JsonReader:
    """Reads JSON of the formats it is given.

    Args:
        formats: The formats, the ones that are told most surely first.
        options: What the caller knows of the input.
        rows: Whether objects of no format are taken as rows.
    """

    def __init__(
        self, formats: Sequence[JsonFormat], options: ReadOptions, *, rows: bool = True
    ) -> None:
        self._formats = formats
        self._options = options
        self._rows = rows

    def read(self, source: ByteSource) -> Iterator[Record]:
        """Yield the records of a source, in its order; a bad one as the problem it has.

        Raises:
            UnreadableError: It is no JSON that holds records, or it breaks in the middle; what
                came before is yielded.
        """
        head = source.peek()
        if _begins_with_lines(head):
            yield from self._lines(source)
            return
        whole = source.peek(source.document_bytes + 1)
        if len(whole) <= source.document_bytes:
            value = _decode_outline(whole)
            if value is not None:
                source.take()
                yield from self._whole(value, whole, source.name)
                source.take()  # where the archive is broken behind it, that is said
                return
        if _begins_with_lines(whole) or _mostly_lines(whole):
            yield from self._lines(source)
        else:
            yield from self._cut(source, prefix_value(head))

    def names(self, value: Any) -> str | None:
        """Return the name of the format that a decoded value is of, or None.

        The value may be a beginning: a record, a document, or an array of them.
        """
        if isinstance(value, list):
            return next(filter(None, map(self.names, value[:_LINES_TRIED])), None)
        if isinstance(value, str):
            return ROWS if self._rows else None
        if not isinstance(value, dict):
            return None
        layout = self._layout(value)
        if layout is None:
            found = self._format_of(value)
            return found.name if found else ROWS if self._is_row(value) else None
        if layout.format:
            return layout.format.name
        return self.names(value[layout.members[0]])

    def _format_of(self, value: Mapping[str, Any]) -> JsonFormat | None:
        return next((f for f in self._formats if f.is_record(value)), None)

    def _is_row(self, value: Mapping[str, Any]) -> bool:
        return self._rows and is_row(value, self._options) and not json_refusal(value)

    def _layout(self, value: Mapping[str, Any]) -> _Layout | None:
        """Return how an object at the top holds records, or None where it is one itself."""
        for format_ in self._formats:
            if format_.is_document(value):
                return _Layout(format_, format_.members)
        if self._format_of(value):
            return None
        lists = [key for key, item in value.items() if isinstance(item, list) and item]
        for key in lists:
            if any(isinstance(i, dict) and self._format_of(i) for i in value[key][:_LINES_TRIED]):
                return _Layout(None, (key,))
        if self._is_row(value):
            return None
        for key in lists:
            if all(isinstance(i, dict) and self._is_row(i) for i in value[key][:_LINES_TRIED]):
                return _Layout(None, (key,))
        return None

    def parse(self, content: Json, place: Place) -> Iterable[Record]:
        """Return what one object or text says, whatever format it is of."""
        try:
            value = decode_lenient(bytes(content))
        except DECODE_ERRORS as error:
            return [decode_problem(place, bytes(content), error)]
        return self.parse_value(value, content, place)

    def parse_value(self, value: Any, content: Json, place: Place) -> Iterable[Record]:
        """Return the same of a value that is decoded already."""
        if isinstance(value, dict):
            if found := self._format_of(value):
                return found.parse(content, place, None)
            if layout := self._layout(value):
                return self._members(value, content, place, layout)
            if self._rows:
                if what := json_refusal(value):
                    return [RecordProblem(place.where, "", what)]
                return self.parse_row(value, place)
        elif self._rows:
            return parse_row(content, place, self._options)
        return [RecordProblem(place.where, "", "no record of this format")]

    def parse_row(self, value: Mapping[str, Any], place: Place) -> Iterable[Record]:
        """Return what an object says that is known to be a row."""
        return [row_of(value, place, self._options)]

    def format_of(self, value: Any) -> JsonFormat | None:
        """Return the format that one decoded record is of."""
        return self._format_of(value) if isinstance(value, dict) else None

    def is_row(self, value: Any) -> bool:
        """Whether a value is an object of plain values, of no format, with a text."""
        return (
            isinstance(value, dict)
            and all(map(_is_plain, value.values()))
            and self._layout(value) is None
            and self._format_of(value) is None
            and self._is_row(value)
        )

    def _members(
        self, value: Mapping[str, Any], content: Json, place: Place, layout: _Layout
    ) -> Iterator[Record]:
        """Yield the records of a document that stands on a line or in an array."""
        raw = _members_of(bytes(content))
        parse = self._parser(layout, raw)
        for key in layout.members:
            items = value.get(key)
            for number, item in enumerate(items if isinstance(items, list) else (), 1):
                yield from parse(msgspec.json.encode(item), place.inside(f"{key} {number}"))
        if not layout.members and layout.format:
            yield from layout.format.parse(content, place, None)

    def _parser(
        self, layout: _Layout, members: Mapping[str, Json]
    ) -> Callable[[Json, Place], Iterable[Record]]:
        """Return what parses the records of a document.

        Most documents hold records of one format: the first one's is tried before any other.
        """
        if layout.format:
            context = layout.format.open_document(members)
            parse = layout.format.parse
            return lambda content, place: parse(content, place, context)
        return _Guess(self)

    def _lines(self, source: ByteSource) -> Iterator[Record]:
        parse = _Guess(self)
        texts = source.peek().lstrip().startswith(b'"')
        for line in lines(source):
            if isinstance(line, RecordProblem):
                yield line
            elif line.content.lstrip().startswith(b'"') and not texts:
                # A piece of a document: files of bare texts begin with one.
                where = f"{source.name}:{line.number}"
                yield RecordProblem(where, "", "a piece of JSON among records, no record")
            elif not line.content.isspace():
                yield from parse(line.content, Place(source.name, line.number, by_line=True))

    def _whole(
        self, value: dict[str, msgspec.Raw] | list[msgspec.Raw], content: bytes, name: str
    ) -> Iterator[Record]:
        if isinstance(value, list):
            self._check([_decoded(item) for item in value[:_LINES_TRIED]], name)
            guess = _Guess(self)
            for number, item in enumerate(value, 1):
                yield from guess(item, Place(name, number))
            return
        decoded = _decode_shallow(value)
        self._check(decoded, name)
        layout = self._layout(decoded)
        if layout is None or not layout.members:
            on_a_line = b"\n" not in content.strip()
            yield from self.parse(content, Place(name, 1, by_line=on_a_line))
            return
        parse = self._parser(layout, value)
        empty = True
        for key in layout.members:
            for number, item in enumerate(_items(value.get(key)), 1):
                empty = False
                yield from parse(item, Place(name, number))
        if empty and layout.format:
            reason = f"{layout.format.title}, which lists no vulnerability"
            yield RecordProblem(name, "", reason, "note")

    def _check(self, value: Any, name: str) -> None:
        """Refuse what is no record, and holds none, before anything of it is read."""
        if self.names(value) is not None:
            return
        if self._rows:
            raise NotRecordsError(name, unknown_json(value))
        titles = ", ".join(format_.title for format_ in self._formats)
        raise NotRecordsError(name, f"JSON that holds no {titles}{_shown_keys(value)}")

    def _cut(self, source: ByteSource, beginning: Any) -> Iterator[Record]:
        """Read what is too large, or broken, to be decoded whole: record by record."""
        if not isinstance(beginning, list) and self.names(beginning) is None:
            reason = f"broken JSON, or JSON of an unknown kind{_shown_keys(beginning)}"
            if beginning is None:
                reason = "no JSON, or broken at its beginning, or nested too deep"
            raise UnreadableError(source.name, reason)
        layout = self._layout(beginning) if isinstance(beginning, dict) else None
        alone = isinstance(beginning, dict) and not layout
        found = whole_objects(source) if alone else elements(source)
        parse = _Guess(self)
        if layout and isinstance(beginning, dict):
            members = {key: msgspec.json.encode(item) for key, item in beginning.items()}
            parse_member = self._parser(layout, members)
        for element in found:
            if isinstance(element, RecordProblem):
                yield element
            elif not layout or not element.key:
                yield from parse(element.content, Place(source.name, element.number))
            elif element.key in layout.members:
                yield from parse_member(element.content, Place(source.name, element.number))


def unknown_json(value: Any) -> str:
    """Return what JSON is that holds no records, and what to do."""
    known = json_refusal(value) if isinstance(value, dict) else ""
    return known or (
        "JSON of an unknown kind: no advisory format that is read, and no field "
        f"description, text or summary{_shown_keys(value)}"
    )


def _shown_keys(value: Any) -> str:
    keys = [key[:40] for key in value] if isinstance(value, dict) else []
    return f"; its keys: {', '.join(keys[:8])}" if keys else ""


class _Guess:
    """Parses records that are mostly of one format: that of the last one is tried first."""

    def __init__(self, reader: JsonReader) -> None:
        self._reader = reader
        self._last: JsonFormat | None = None
        self._row_keys: tuple[str, ...] = ()

    def __call__(self, content: Json, place: Place) -> Iterable[Record]:
        if self._last:
            found = list(self._last.parse(content, place, None))
            if not any(isinstance(r, RecordProblem) and r.is_failure for r in found):
                return found
        try:
            value = decode_lenient(bytes(content))
        except DECODE_ERRORS as error:
            return [decode_problem(place, bytes(content), error)]
        if self._row_keys and isinstance(value, dict) and tuple(value) == self._row_keys:
            if all(map(_is_plain, value.values())):
                return self._reader.parse_row(value, place)
        elif self._reader.is_row(value):
            self._row_keys = tuple(value)
        self._last = self._reader.format_of(value)
        return self._reader.parse_value(value, content, place)


def _is_plain(value: Any) -> bool:
    """Whether a value holds no object, and is no list of any."""
    if isinstance(value, list):
        return not value or isinstance(value[0], str | int | float)
    return not isinstance(value, dict)


def looks_like_json(head: bytes) -> bool:
    """Whether a text begins as JSON does: with an object, an array, or a text on a line."""
    start = head.lstrip()
    if _JSON.match(start):
        return True
    first = start.split(b"\n", 1)[0].rstrip()
    if not first.startswith(b'"') or not _is_json(first):
        return False
    # A quoted name may be the header of a table with one column.
    name = str(decode_lenient(first))
    return not (name.lower().startswith("sep=") or find_roles([name], ReadOptions()).has_text)


def _begins_with_lines(head: bytes) -> bool:
    """Whether the first line is a JSON value of its own, and not all there is."""
    first, _, rest = head.strip().partition(b"\n")
    if not rest.strip():
        return first.startswith(b'"') and _is_json(first)
    return first.startswith((b"{", b'"')) and _is_json(first)


def _mostly_lines(head: bytes) -> bool:
    """Whether JSON objects stand one a line, by the first lines, of which some may be broken."""
    first = [line for line in head.split(b"\n", _LINES_TRIED)[:_LINES_TRIED] if line.strip()]
    whole = sum(line.startswith(b"{") and _is_json(line) for line in first)
    return len(first) > 1 and 2 * whole >= len(first)


def _is_json(text: bytes) -> bool:
    try:
        decode_lenient(text)
    except DECODE_ERRORS:
        return False
    return True


def _decode_outline(content: bytes) -> dict[str, msgspec.Raw] | list[msgspec.Raw] | None:
    """Return the members or items of one whole JSON document, undecoded; None where it is none."""
    for repaired in (False, True):
        text = nan_as_null(content) if repaired else content
        try:
            if text.lstrip()[:1] == b"[":
                return msgspec.json.decode(text, type=list[msgspec.Raw])
            return msgspec.json.decode(text, type=dict[str, msgspec.Raw])
        except DECODE_ERRORS:
            continue
    return None


def _members_of(content: bytes) -> dict[str, msgspec.Raw]:
    value = _decode_outline(content)
    return value if isinstance(value, dict) else {}


def _items(raw: Json | None) -> Sequence[msgspec.Raw]:
    if raw is None:
        return ()
    try:
        return msgspec.json.decode(raw, type=list[msgspec.Raw])
    except DECODE_ERRORS:
        return ()


def _decode_shallow(members: Mapping[str, msgspec.Raw]) -> dict[str, Any]:
    """Return the members decoded, of long arrays only the first items, to tell a format by."""
    decoded: dict[str, Any] = {}
    for key, raw in members.items():
        if memoryview(raw)[:1].tobytes() == b"[":
            decoded[key] = [_decoded(item) for item in _items(raw)[:_LINES_TRIED]]
        else:
            decoded[key] = _decoded(raw)
    return decoded


def _decoded(raw: msgspec.Raw) -> Any:
    """Return a value decoded, or None where it is no JSON: that is said when it is read."""
    try:
        return decode_lenient(bytes(raw))
    except DECODE_ERRORS:
        return None
