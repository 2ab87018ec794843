"""Excel workbooks (``.xlsx``): the visible sheets with a column for the text, or for ids."""

from __future__ import annotations

import datetime
import io
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
from cybersecqwen.sources.io.streams import NotRecordsError, UnreadableError, reason_of
from cybersecqwen.sources.io.unpack import Workbook

_MAX_PART_BYTES = 512 << 20
_MAX_SHARED_TEXT_BYTES = 64 << 20
_HEADER_ROWS = 20


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
        # Of a damaged workbook openpyxl may raise whatever its parsers raise.
        raise UnreadableError(book.name, f"damaged workbook: {reason_of(error)}") from None


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
        if any(cell not in {None, ""} for cell in row):
            place = Place(name, number, by_line=True)
            yield advisory_of([_value(cell) for cell in row], roles, place, options)


class _CheckedZip(zipfile.ZipFile):
    """A zip whose members are read in pieces, and no further once nobody wants them any more."""

    def open(self, *arguments: Any, **named: Any) -> Any:
        member: Any = super().open(*arguments, **named)
        return _CheckedMember(member)


class _CheckedMember(io.BufferedReader):
    def read(self, size: int | None = -1, /) -> bytes:
        checkpoint()
        return super().read(size)


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
