"""Excel workbooks (``.xlsx``): the visible sheets with a column for the text, or for ids."""

from __future__ import annotations

import datetime
import io
import re
import zipfile
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import Any

from cybersecqwen.core.cancellation import checkpoint
from cybersecqwen.core.records import ColumnValue, RecordProblem
from cybersecqwen.sources.advisories.columns import (
    advisory_of,
    find_header,
    holds_prose,
    missing_text,
)
from cybersecqwen.sources.advisories.formats import Place, ReadOptions, Record, WorkbookFormat
from cybersecqwen.sources.io.streams import (
    NotRecordsError,
    UnreadableError,
    reason_of,
)
from cybersecqwen.sources.io.unpack import Workbook

_MAX_PART_BYTES = 512 << 20
_MAX_SHARED_TEXT_BYTES = 64 << 20
_HEADER_ROWS = 20
_MAX_ROWS = 1_048_576  # Of a sheet, in Excel.
_MAX_CELL_BYTES = 1 << 20  # Excel allows 32,767 characters, which are less when written as XML.
# openpyxl holds what it parsed until a row ends, and every shared string and style.
_MAX_ELEMENTS = 3_000_000
_MAX_DEPTH = 10_000  # Of elements in each other, each of which is held; sheets have about ten.
_ROW = re.compile(rb"<(?:\w+:)?row[\s/>]")
_START_TAG = re.compile(rb"<[^/]")


def read_workbook(book: Workbook, options: ReadOptions) -> Iterator[Record]:
    """Yield one advisory for each row under the header, which may stand under a preamble.

    Raises:
        NotRecordsError: No sheet has a column for the text.
        UnreadableError: It is damaged, or would unpack to more than is allowed.
    """
    _check_sizes(book)
    try:
        # Slow to import, and needed for such files alone.
        from openpyxl.reader.excel import ExcelReader  # noqa: PLC0415

        reader = ExcelReader(book.stream, read_only=True, data_only=True)
        reader.archive = _CheckedZip(book.stream)
        reader.read()
        document = reader.wb
        found: list[str] = []
        used = 0
        held: list[str] = []
        for sheet in document.worksheets:
            if sheet.sheet_state != "visible":
                held.append(f"sheet {sheet.title!r}: hidden, passed over")
                continue
            name = f"{book.name}/{sheet.title}" if len(document.worksheets) > 1 else book.name
            rows = _rows(sheet.iter_rows(values_only=True), name, options, found)
            first = next(rows, None)
            if first is None:
                held.append(f"sheet {sheet.title!r}: no column of descriptions, passed over")
                continue
            used += 1
            yield from chain((first,), rows)
        if not used:
            reason = missing_text(found, options) if found else "empty: there is nothing to read"
            raise NotRecordsError(book.name, reason)
        for reason in held:
            yield RecordProblem(book.name, "", reason, "note")
    except UnreadableError:
        raise
    except Exception as error:
        # Of a damaged workbook openpyxl raises whatever its parsers raise, or an error around that.
        reason = reason_of(error.__cause__ or error)
        raise UnreadableError(book.name, f"damaged workbook: {reason}") from None


def _rows(
    cells: Iterator[Sequence[Any]], name: str, options: ReadOptions, found: list[str]
) -> Iterator[Record]:
    """Yield the records of a sheet; none where it has no header, whose names go to ``found``."""
    first = list(islice(cells, _HEADER_ROWS))
    names = [["" if cell is None else str(cell).strip() for cell in row] for row in first]
    header = find_header(names, options)
    below = names[header.place + 1 :] if header else []
    if header is None or (not header.roles.has_text and holds_prose(below)):
        widest = next((row for row in names if sum(map(bool, row)) > 1), [])
        found += [cell for cell in widest if cell and not found]
        return
    roles = header.roles
    if not roles.has_text:
        reason = "no column of descriptions, so ids are looked up in the local store"
        yield RecordProblem(name, "", reason, "note")
    if not roles.has_id:
        reason = "no column holds an id, so rows are called by their line: --id-column NAME"
        yield RecordProblem(name, "", reason, "note")
    later = enumerate(chain(first[header.place + 1 :], cells), header.place + 2)
    for number, row in later:
        checkpoint()
        if number > _MAX_ROWS:
            raise UnreadableError(name, f"damaged workbook: a sheet of over {_MAX_ROWS:,} rows")
        if any(cell not in {None, ""} for cell in row):
            place = Place(name, number, by_line=True)
            yield advisory_of([_value(cell) for cell in row], roles, place, options)


class _CheckedZip(zipfile.ZipFile):
    """A zip whose members are read in pieces, and no further once nobody wants them any more."""

    def open(self, *arguments: Any, **named: Any) -> Any:
        member: Any = super().open(*arguments, **named)
        return _CheckedMember(member)


class _CheckedMember(io.BufferedReader):
    """A member that is refused before its parser holds more than a real workbook asks of it."""

    _row_count = 0
    _elements = 0  # Start tags since the last row began.
    _text = 0  # Bytes since the last "<".
    _depth = 0  # Elements that are open.
    _last = b""

    def read(self, size: int | None = -1, /) -> bytes:
        checkpoint()
        data = super().read(size)
        last = data.rfind(b"<")
        self._text = self._text + len(data) if last < 0 else len(data) - last
        rows = list(_ROW.finditer(data))
        tags = _START_TAG.findall(data, rows[-1].start() if rows else 0)
        self._elements = len(tags) + (0 if rows else self._elements)
        self._row_count += len(rows)
        pairs = self._last + data  # Marks of two bytes may stand across two pieces.
        self._last = data[-1:]
        ended = 2 * pairs.count(b"</") + pairs.count(b"/>")
        self._depth += data.count(b"<") - ended - pairs.count(b"<!") - pairs.count(b"<?")
        if self._depth > _MAX_DEPTH:
            raise ValueError(f"over {_MAX_DEPTH:,} elements in each other")
        if self._text > _MAX_CELL_BYTES:
            raise ValueError(f"a cell of over {_MAX_CELL_BYTES >> 20} MiB")
        if self._elements > _MAX_ELEMENTS:
            raise ValueError(f"over {_MAX_ELEMENTS:,} elements outside of rows or in one")
        if self._row_count > _MAX_ROWS:
            raise ValueError(f"a sheet of over {_MAX_ROWS:,} rows")
        return data


def _check_sizes(book: Workbook) -> None:
    """Refuse a workbook that would fill the memory; a member never gives more than it states."""
    with zipfile.ZipFile(book.stream) as archive:
        for member in archive.infolist():
            limit = _MAX_PART_BYTES
            if member.filename.endswith(("sharedStrings.xml", "styles.xml", "workbook.xml")):
                limit = _MAX_SHARED_TEXT_BYTES
            if member.file_size > limit:
                reason = f"{member.filename} unpacks to over {limit >> 20} MiB"
                raise UnreadableError(book.name, reason)
    book.stream.seek(0)


def _value(cell: Any) -> ColumnValue:
    if isinstance(cell, datetime.datetime | datetime.date | datetime.time):
        return cell.isoformat()
    if isinstance(cell, float) and cell.is_integer():
        return int(cell)
    return cell if cell is None or isinstance(cell, str | int | float | bool) else str(cell)


XLSX = WorkbookFormat(
    name="xlsx",
    title="Excel workbook (.xlsx)",
    recognised_by="a zip with `xl/workbook.xml`; columns as in CSV",
    read=read_workbook,
)
