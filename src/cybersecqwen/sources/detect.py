"""Any input of advisories, told by its content and read as a stream of records."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.records import LabelSource, RecordProblem
from cybersecqwen.sources.advisories.formats import ReadOptions, Record
from cybersecqwen.sources.advisories.json_records import ROWS, JsonReader
from cybersecqwen.sources.advisories.json_refusals import unknown_json
from cybersecqwen.sources.advisories.json_shapes import looks_like_json
from cybersecqwen.sources.advisories.refusals import refusal
from cybersecqwen.sources.advisories.registry import (
    ALL,
    JSON_FORMATS,
    TEXT_FORMATS,
    WORKBOOKS,
)
from cybersecqwen.sources.advisories.tables import looks_like_table
from cybersecqwen.sources.io.json_stream import prefix_value
from cybersecqwen.sources.io.position import ReadPosition
from cybersecqwen.sources.io.streams import ByteSource, NotRecordsError, UnreadableError
from cybersecqwen.sources.io.unpack import UnpackLimits, Workbook, open_sources

FORMATS: tuple[str, ...] = (*(format_.name for format_ in ALL), ROWS)
"""What ``format`` may name besides ``auto``."""

_NUL = b"\x00"
_OTHER_CONTROLS = re.compile(rb"[\x01-\x08\x0e-\x1a\x1c-\x1f]")
_MAX_HELD = 100
"""Of the files in an input that cannot be read, how many are named; the others are counted."""


def read_advisories(
    path: Path | None,
    format: str = "auto",  # noqa: A002 - the field's word, and the command line's
    *,
    stdin: IO[bytes] | None = None,
    name: str = "",
    labels_from: LabelSource = "other",
    text_column: str = "",
    id_column: str = "",
    limits: UnpackLimits | None = None,
    position: ReadPosition | None = None,
) -> Iterator[Record]:
    """Yield the records of an input, in its order; a bad one as the problem it has.

    Memory holds one record, or one JSON document of up to 64 MiB (and a zip's directory, about 600
    bytes a member). What is compressed, and each file's format, is told by its first bytes.

    Args:
        path: A file, or a folder of files; None or ``-`` is standard input. Packed with gzip,
            bzip2, xz, Zstandard, zip or tar, or in each other.
        format: ``auto``, or one of ``FORMATS``.
        stdin: What to read as standard input, in binary, instead of the process's own.
        name: What to call the input in messages and in ``where``; its path, where this is empty.
        labels_from: Who assigned the labels of rows that do not say so (a table's ``cwe``).
        text_column: The column or key that holds the text, where its name does not tell.
        id_column: The same for the id.
        limits: What unpacking may cost.
        position: Told how much of the input has been read.

    Yields:
        Records; in a folder or an archive also a note for each file that is none of records.

    Raises:
        InputError: On the first record: there is no such file, it is empty or binary, it is
            something else than records, or nothing in it can be read.
    """
    if format != "auto" and format not in FORMATS:
        raise InputError(f"no format {format!r}: give auto, {', '.join(FORMATS)}")
    options = ReadOptions(labels_from, text_column, id_column)
    unreadable, found = _Unreadable(), False
    for source in open_sources(
        path, stdin or sys.stdin.buffer, name=name, limits=limits, position=position
    ):
        found = found or not isinstance(source, NotRecordsError)
        try:
            if isinstance(source, UnreadableError):
                raise source
            records = _records(source, format, options)
            if (first := next(records, None)) is None:
                yield RecordProblem(source.name, "", "there is no record in it", "note")
                continue
            if not unreadable.started:
                yield from unreadable.start()
            yield first
            yield from records
        except UnreadableError as error:
            yield from unreadable.add(error)
    yield from unreadable.finish()
    if not found and not unreadable.started:
        raise InputError(f"{name or path}: holds no file of records")


class _Unreadable:
    """What cannot be read of an input with several files.

    Until something is read it is held: if there is nothing else, the input as a whole is
    unusable; else each is named in its place. Errors themselves are not kept: their tracebacks
    would keep the buffers of every file.
    """

    def __init__(self) -> None:
        self.started = False
        self._held: list[RecordProblem] = []
        self._first: tuple[str, str, bool] | None = None
        self._count = 0

    def add(self, error: UnreadableError) -> Iterator[RecordProblem]:
        """Take in what cannot be read; return it at once where something else was read."""
        other = isinstance(error, NotRecordsError)
        if self._first is None or (self._first[2] and not other):
            self._first = (error.where, error.reason, other)
        self._count += 1
        if self._count > _MAX_HELD:
            return
        reason = f"passed over: {error.reason}" if other else f"reading stops here: {error.reason}"
        if error.reason.startswith("passed over"):
            reason = error.reason
        problem = RecordProblem(error.where, "", reason, "note" if other else "failed")
        if self.started:
            yield problem
        else:
            self._held.append(problem)

    def start(self) -> Iterator[RecordProblem]:
        """Return what was held: there is something to read after all."""
        self.started = True
        yield from self._held
        self._held.clear()

    def finish(self) -> Iterator[RecordProblem]:
        """Count what was not named; raise the first of what was held if nothing was read."""
        if not self.started and self._first:
            where, reason, other = self._first
            more = f" ({self._count - 1:,} more like it)" if self._count > 1 else ""
            raise (NotRecordsError if other else UnreadableError)(where, f"{reason}{more}")
        if self._count > _MAX_HELD:
            reason = f"{self._count - _MAX_HELD:,} more files of the input were not read"
            yield RecordProblem(self._first[0] if self._first else "", "", reason)


def detect_format(head: bytes, name: str) -> str:
    """Tell a format by its first bytes, decompressed and in UTF-8.

    Args:
        head: The first bytes, some 64 KiB or all there are.
        name: What to call the input in messages; its ending settles a doubt.

    Raises:
        NotRecordsError: The bytes are of a kind that holds no advisories, binary, or none.
    """
    if not head or head.isspace():
        raise NotRecordsError(name, "empty: there is nothing to read")
    if looks_like_json(head):
        value = "a text" if head.lstrip().startswith(b'"') else prefix_value(head)
        found = JsonReader(JSON_FORMATS, ReadOptions()).names(value)
        if found is None:
            raise NotRecordsError(name, unknown_json(value))
        return found
    for format_ in TEXT_FORMATS[:-2]:
        if format_.matches(head, name):
            return format_.name
    if reason := refusal(head, name):
        raise NotRecordsError(name, reason)
    if _NUL in head and not (_is_text_but_for_nul(head) and looks_like_table(head, name)):
        raise NotRecordsError(name, f"binary: byte {head.index(_NUL) + 1} is NUL")
    return next(format_.name for format_ in TEXT_FORMATS[-2:] if format_.matches(head, name))


def _is_text_but_for_nul(head: bytes) -> bool:
    """Whether a file is no binary for a few NULs, each of which costs a table its row."""
    return head.count(_NUL) <= 1 + len(head) // 1000 and not _OTHER_CONTROLS.search(head)


def _records(source: ByteSource | Workbook, chosen: str, options: ReadOptions) -> Iterator[Record]:
    if isinstance(source, Workbook):
        book = next((f for f in WORKBOOKS if chosen in {"auto", f.name}), None)
        if book is None:
            raise NotRecordsError(source.name, f"an Excel workbook, not {chosen}")
        return book.read(source, options)
    head = source.as_utf8().peek()
    if not head:
        source.take()  # where it is damaged from its first byte on, that is said
    detected = chosen
    if chosen == "auto":
        # JSON is told by more than its beginning, and record by record.
        detected = ROWS if looks_like_json(head) else detect_format(head, source.name)
    text = next((f for f in TEXT_FORMATS if f.name == detected), None)
    if text:
        if chosen != "auto" and (reason := refusal(head, source.name)) and text.name == "text":
            raise NotRecordsError(source.name, reason)
        return text.read(source, options)
    if detected == "xlsx":
        raise NotRecordsError(source.name, "no Excel workbook (.xlsx)")
    formats = [f for f in JSON_FORMATS if chosen in {"auto", ROWS, f.name}]
    return JsonReader(formats, options, rows=chosen in {"auto", ROWS}).read(source)
