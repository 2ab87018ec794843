"""The room's door: any input of advisories, read as a stream of records."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Literal, get_args

import msgspec

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.records import Advisory, LabelSource, RecordProblem
from cybersecqwen.sources.advisories.cve5 import parse_cve5
from cybersecqwen.sources.advisories.jsonl import parse_row
from cybersecqwen.sources.advisories.nvd import parse_nvd
from cybersecqwen.sources.advisories.plain_text import read_text
from cybersecqwen.sources.advisories.tables import TEXT_COLUMNS, header_of, read_table
from cybersecqwen.sources.io.json_stream import Element, elements, whole_objects
from cybersecqwen.sources.io.streams import (
    ByteSource,
    InputLine,
    UnreadableError,
    lines,
    open_sources,
)

Format = Literal["nvd", "cve5", "csv", "jsonl", "text"]
FORMATS: tuple[Format, ...] = get_args(Format)

Record = Advisory | RecordProblem

_NVD = re.compile(rb'"CVE_Items"\s*:|"vulnerabilities"\s*:\s*\[|"format"\s*:\s*"NVD_CVE"')
_CVE5 = re.compile(rb'"dataType"\s*:\s*"CVE_RECORD"|"cveMetadata"\s*:\s*\{')
_JSON = re.compile(rb'\{\s*["}]|\[\s*[\]{"]')
_NUL = b"\x00"
_LINES_TRIED = 20


def read_advisories(
    path: Path | None,
    format: str = "auto",  # noqa: A002 - the field's word, and the command line's
    *,
    stdin: IO[bytes] | None = None,
    labels_from: LabelSource = "nvd",
) -> Iterator[Advisory | RecordProblem]:
    """Yield the records of an input, in its order; a bad one as the problem it has.

    Memory holds one record, whatever the size of the input (and a zip's directory, about 600
    bytes a member). Archives are told by their first bytes, and so is the format.

    Args:
        path: A file, or a folder of files; None or ``-`` is standard input. Plain, gzip or zip,
            zip in zip included.
        format: ``auto``, or one of ``FORMATS``.
        stdin: What to read as standard input, in binary, instead of the process's own.
        labels_from: Who assigned the labels of rows that do not say so (JSONL's and CSV's
            ``cwe``).

    Raises:
        InputError: On the first record: there is no such file, it is empty or binary, its format
            cannot be told, or nothing in it can be read.
    """
    if format != "auto" and format not in FORMATS:
        raise InputError(f"no format {format!r}: give auto, {', '.join(FORMATS)}")
    # Until something is read, what cannot be is held: if there is nothing else, the call as a
    # whole is unusable; else each is named in its place.
    held: list[UnreadableError] = []
    started = found = False
    for source in open_sources(path, stdin or sys.stdin.buffer):
        found = True
        try:
            if isinstance(source, UnreadableError):
                raise source
            for record in _records(source, format, labels_from):
                if not started:
                    yield from map(_problem, held)
                    started = True
                yield record
        except UnreadableError as error:
            if started:
                yield _problem(error)
            else:
                held.append(error)
    if held and not started:
        raise held[0]
    if not found:
        raise InputError(f"{path}: holds no file of records")


def _problem(error: UnreadableError) -> RecordProblem:
    return RecordProblem(error.where, "", f"reading stops here: {error.reason}")


def detect_format(head: bytes, name: str) -> Format:
    """Tell a format by its first bytes, decompressed and in UTF-8.

    Args:
        head: The first bytes, some 64 KiB or all there are.
        name: What to call the input in messages; a name that ends in .csv or .tsv settles a doubt.

    Raises:
        InputError: The bytes are binary, or JSON of a kind that holds no advisories; or there are
            none.
    """
    start = head.lstrip()
    _refuse_binary(head, name)
    if _JSON.match(start):
        return _json_format(start, name)
    first = start.split(b"\n", 1)[0]
    if first.startswith(b'"') and _is_json(first):
        return "jsonl"
    _, columns = header_of(first[: 64 << 10])
    if any(column in TEXT_COLUMNS for column in columns):
        return "csv"
    return "csv" if name.lower().removesuffix(".gz").endswith((".csv", ".tsv")) else "text"


def _refuse_binary(head: bytes, name: str) -> None:
    if not head or head.isspace():
        raise UnreadableError(name, "empty: there is nothing to read")
    if _NUL in head:
        raise UnreadableError(name, f"binary: byte {head.index(_NUL) + 1} is NUL")


def _json_format(start: bytes, name: str) -> Format:
    if _NVD.search(start, 0, 4096):
        return "nvd"
    first = start.split(b"\n", 1)[0]
    if _CVE5.search(first if _is_json(first) else start):
        return "cve5"
    if start.startswith(b"[") or _one_a_line(start) or b'"containers"' in start:
        return "jsonl"
    if any(b'"%s"' % column.encode() in start for column in TEXT_COLUMNS):
        return "jsonl"
    raise UnreadableError(
        name,
        "JSON of an unknown kind: not an NVD feed, not CVE records, and no field "
        f"{', '.join(TEXT_COLUMNS)}",
    )


def _is_json(text: bytes) -> bool:
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _one_a_line(start: bytes) -> bool:
    """Whether JSON objects stand one a line, by the first lines, of which some may be broken."""
    whole = start.split(b"\n")
    if len(whole) == 1:
        return True  # the first line outruns the head, or is all there is
    return any(line.startswith(b"{") and _is_json(line) for line in whole[:_LINES_TRIED])


def _records(source: ByteSource, chosen: str, labels_from: LabelSource) -> Iterator[Record]:
    head = source.as_utf8().peek()
    _refuse_binary(head, source.name)
    detected = detect_format(head, source.name) if chosen == "auto" else chosen
    if detected == "text":
        return read_text(source)
    if detected == "csv":
        return read_table(source, labels_from)
    if detected == "nvd":
        return _cut(elements(source), source.name, _nvd)
    parse = _cve5 if detected == "cve5" else _row_parser(labels_from)
    start = head.lstrip()
    if start.startswith(b"["):
        return _cut(elements(source), source.name, parse)
    if _one_a_line(start) or not start.startswith(b"{"):
        return _by_line(source, parse)
    return _cut(whole_objects(source), source.name, parse)


# The parsers under one signature: content, where, the id for a row without one.
_Parse = Callable[[bytes, str, str], Record]


def _nvd(content: bytes, where: str, _fallback_id: str) -> Record:
    return parse_nvd(content, where)


def _cve5(content: bytes, where: str, _fallback_id: str) -> Record:
    return parse_cve5(content, where)


def _row_parser(labels_from: LabelSource) -> _Parse:
    def parse(content: bytes, where: str, fallback_id: str) -> Record:
        return parse_row(content, where, fallback_id, labels_from)

    return parse


def _by_line(source: ByteSource, parse: _Parse) -> Iterator[Record]:
    for line in lines(source):
        if isinstance(line, InputLine):
            if not line.content.isspace():
                yield parse(line.content, f"{source.name}:{line.number}", f"line-{line.number}")
        else:
            yield line


def _cut(found: Iterator[Element | RecordProblem], name: str, parse: _Parse) -> Iterator[Record]:
    for element in found:
        if isinstance(element, Element):
            number = element.number
            yield parse(element.content, f"{name}: record {number}", f"record-{number}")
        else:
            yield element
