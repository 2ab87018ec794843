"""JSON of any layout, read as a stream of records of whichever formats its objects are."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import msgspec

from cybersecqwen.core.lenient_json import DECODE_ERRORS, decode_lenient
from cybersecqwen.core.records import RecordProblem
from cybersecqwen.sources.advisories.advisory_fields import decode_problem
from cybersecqwen.sources.advisories.formats import (
    Json,
    JsonFormat,
    Place,
    ReadOptions,
    Record,
)
from cybersecqwen.sources.advisories.json_refusals import json_refusal, shown_keys, unknown_json
from cybersecqwen.sources.advisories.json_shapes import (
    LINES_TRIED,
    bare,
    begins_with_lines,
    decode_outline,
    decode_shallow,
    decoded,
    decoded_whole,
    is_of_objects,
    items_of,
    members_of,
    mostly_lines,
    tells_of_the_run,
)
from cybersecqwen.sources.advisories.nested_json import (
    empty_list,
    nested,
    rows_of_table,
    summed_up,
)
from cybersecqwen.sources.advisories.rows import is_row, parse_row, row_of
from cybersecqwen.sources.io.json_stream import elements, members, prefix_value, whole_objects
from cybersecqwen.sources.io.streams import ByteSource, NotRecordsError, UnreadableError, lines

ROWS = "jsonl"
"""The name of what is no known format: rows with a text."""

_STREAM_BYTES = 1 << 20
"""How far a stream of objects is looked into for one that is a record."""

_MAX_COMMAS = 1_500_000
"""Of a document that is decoded whole; what has more has them every 40 bytes and is no advisory."""


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
        if begins_with_lines(head):
            yield from self._lines(source)
            return
        whole = source.peek(source.document_bytes + 1)
        if len(whole) <= source.document_bytes and whole.count(b",") <= _MAX_COMMAS:
            value = decode_outline(whole)
            if value is not None:
                source.take()
                yield from self._whole(value, whole, source.name)
                source.take()  # where the archive is broken behind it, that is said
                return
        if begins_with_lines(whole) or mostly_lines(whole):
            yield from self._lines(source)
        else:
            yield from self._cut(source, prefix_value(head))

    def names(self, value: Any) -> str | None:
        """Return the name of the format that a decoded value is of, or None.

        The value may be a beginning: a record, a document, or an array of them.
        """
        if isinstance(value, list):
            return next(filter(None, map(self.names, value[:LINES_TRIED])), None)
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
        if self._format_of(value) or (self._rows and json_refusal(value)):
            return None
        lists = [key for key, item in value.items() if isinstance(item, list) and item]
        for key in lists:
            if any(isinstance(i, dict) and self._format_of(i) for i in value[key][:LINES_TRIED]):
                return _Layout(None, (key,))
        if self._is_row(value):
            lists = summed_up(value)
        for key in lists:
            if all(isinstance(i, dict) and self._is_row(i) for i in value[key][:LINES_TRIED]):
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
        if not isinstance(value, dict):
            return self._parse_other(value, content, place)
        if found := self._format_of(value):
            return found.parse(content, place, None)
        if layout := self._layout(value):
            return self._members(value, content, place, layout)
        if self._rows:
            if what := json_refusal(value):
                return [RecordProblem(place.where, "", what)]
            return self._row_or_parts(value, place)
        return [RecordProblem(place.where, "", "no record of this format")]

    def _parse_other(self, value: Any, content: Json, place: Place) -> Iterable[Record]:
        """Return what a text, a list or a number says."""
        if isinstance(value, list) and (parts := list(self.nested(value))):
            return self._parts(parts, place)
        if self._rows:
            return parse_row(content, place, self._options)
        return [RecordProblem(place.where, "", "no record of this format")]

    def _row_or_parts(self, value: Mapping[str, Any], place: Place) -> Iterable[Record]:
        if not self._is_row(value) and (parts := list(self.nested(value))):
            return self._parts(parts, place)
        return () if tells_of_the_run(value) else self.parse_row(value, place)

    def nested(self, value: Any) -> Iterator[Mapping[str, Any]]:
        """Yield the records and documents that lie deeper in a value of no known kind."""

        def is_known(part: Mapping[str, Any]) -> bool:
            return bool(self._format_of(part) or any(f.is_document(part) for f in self._formats))

        yield from nested(value, is_known, self._is_row if self._rows else lambda _row: False)

    def _parts(self, found: Iterable[Mapping[str, Any]], place: Place) -> Iterator[Record]:
        for number, part in enumerate(found, 1):
            content = msgspec.json.encode(part)
            yield from self.parse_value(part, content, place.inside(f"part {number}"))

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
            and not any(type(item) is dict or is_of_objects(item) for item in value.values())
            and self._layout(value) is None
            and self._format_of(value) is None
            and self._is_row(value)
        )

    def _members(
        self, value: Mapping[str, Any], content: Json, place: Place, layout: _Layout
    ) -> Iterator[Record]:
        """Yield the records of a document that stands on a line or in an array."""
        raw = members_of(bytes(content))
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
            elif not (content := bare(line.content)):
                continue
            elif content.startswith(b'"') and not texts:
                # A piece of a document: files of bare texts begin with one.
                where = f"{source.name}:{line.number}"
                yield RecordProblem(where, "", "a piece of JSON among records, no record")
            else:
                yield from parse(content, Place(source.name, line.number, by_line=True))

    def _whole(
        self, value: dict[str, msgspec.Raw] | list[msgspec.Raw], content: bytes, name: str
    ) -> Iterator[Record]:
        if isinstance(value, list):
            shown: Any = [decoded(item) for item in value[:LINES_TRIED]]
        else:
            shown = decode_shallow(value)
        if self._rows and (table := rows_of_table(shown, self._options)):
            table = rows_of_table(decoded_whole(content, name), self._options)
            for number, row in enumerate(table, 1):
                yield from self.parse_row(row, Place(name, number))
        elif self.names(shown) is None:
            yield from self._unknown(shown, content, name)
        elif isinstance(value, list):
            guess = _Guess(self)
            for number, item in enumerate(value, 1):
                yield from guess(item, Place(name, number))
        else:
            yield from self._document(value, shown, content, name)

    def _document(
        self, value: dict[str, msgspec.Raw], shown: Mapping[str, Any], content: bytes, name: str
    ) -> Iterator[Record]:
        layout = self._layout(shown)
        if layout is None or not layout.members:
            on_a_line = b"\n" not in content.strip()
            yield from self.parse(content, Place(name, 1, by_line=on_a_line))
            return
        parse = self._parser(layout, value)
        empty = True
        for key in layout.members:
            for number, item in enumerate(items_of(value.get(key)), 1):
                empty = False
                yield from parse(item, Place(name, number))
        if empty and layout.format:
            reason = f"{layout.format.title}, which lists no vulnerability"
            yield RecordProblem(name, "", reason, "note")

    def _unknown(self, shown: Any, content: bytes, name: str) -> Iterator[Record]:
        """Read what lies deeper in a document of no known kind, or refuse it.

        Raises:
            NotRecordsError: Nothing in it is a record.
        """
        refused = isinstance(shown, dict) and json_refusal(shown)
        number = 0
        parts = () if refused else self.nested(decoded_whole(content, name))
        for number, part in enumerate(parts, 1):
            yield from self.parse_value(part, msgspec.json.encode(part), Place(name, number))
        if number:
            return
        if not refused and (what := empty_list(shown)):
            yield RecordProblem(name, "", f"{what}, so there is no record", "note")
            return
        if self._rows:
            raise NotRecordsError(name, unknown_json(shown))
        titles = ", ".join(format_.title for format_ in self._formats)
        raise NotRecordsError(name, f"JSON that holds no {titles}{shown_keys(shown)}")

    def _holds_records(self, source: ByteSource) -> bool:
        """Whether one of the first objects of a stream of such is a record, or holds one."""
        head = source.peek(_STREAM_BYTES)
        objects = whole_objects(ByteSource(io.BytesIO(head), source.name))
        try:
            for element in islice(objects, LINES_TRIED):
                if isinstance(element, RecordProblem):
                    continue
                value = decoded(element.content)
                if self.names(value) is not None or any(True for _ in self.nested(value)):
                    return True
        except UnreadableError:
            pass  # broken further on, or cut off with the head
        return False

    def _is_keyed(self, beginning: Mapping[str, Any]) -> bool:
        """Whether the members of a document of no known kind are records under their ids."""
        shown = list(islice(beginning.items(), LINES_TRIED))
        return self.names(beginning) is None and any(
            isinstance(item, dict) and next(self.nested({key: item}), None) for key, item in shown
        )

    def _keyed(self, source: ByteSource) -> Iterator[Record]:
        for element in members(source):
            if isinstance(element, RecordProblem):
                yield element
                continue
            place, content = Place(source.name, element.number), bytes(element.content)
            try:
                value = decode_lenient(content)
            except DECODE_ERRORS as error:
                yield decode_problem(place, content, error)
            else:
                yield from self._parts(self.nested({element.key: value}), place)

    def _cut(self, source: ByteSource, beginning: Any) -> Iterator[Record]:
        """Read what is too large, or broken, to be decoded whole: record by record."""
        if isinstance(beginning, dict) and self._is_keyed(beginning):
            yield from self._keyed(source)
            return
        later = isinstance(beginning, dict) and self._holds_records(source)
        if not isinstance(beginning, list) and not later and self.names(beginning) is None:
            reason = f"broken JSON, or JSON of an unknown kind{shown_keys(beginning)}"
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
            if not any(type(item) is dict or is_of_objects(item) for item in value.values()):
                return self._reader.parse_row(value, place)
        elif self._reader.is_row(value):
            self._row_keys = tuple(value)
        self._last = self._reader.format_of(value)
        return self._reader.parse_value(value, content, place)
