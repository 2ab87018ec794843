"""Excel workbooks (``.xlsx``): the first sheet with a column for the text."""

from __future__ import annotations

import datetime
import zipfile
from collections.abc import Iterator, Sequence
from typing import Any

from cybersecqwen.core.records import ColumnValue, RecordProblem
from cybersecqwen.sources.advisories.columns import (
    Roles,
    advisory_of,
    find_roles,
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
        import openpyxl  # noqa: PLC0415 - slow to import, and needed for such files alone

        document = openpyxl.load_workbook(book.stream, read_only=True, data_only=True)
        found: list[str] = []
        for sheet in document.worksheets:
            rows = enumerate(sheet.iter_rows(values_only=True), 1)
            roles = _header(rows, options, found)
            if roles is None:
                continue
            name = f"{book.name}/{sheet.title}" if len(document.worksheets) > 1 else book.name
            if not roles.has_id:
                reason = "no column holds an id, so rows are called by their line: --id-column NAME"
                yield RecordProblem(name, "", reason, "note")
            for number, row in rows:
                if any(cell not in {None, ""} for cell in row):
                    place = Place(name, number, by_line=True)
                    yield advisory_of([_value(cell) for cell in row], roles, place, options)
            return
        raise NotRecordsError(book.name, missing_text(found, options))
    except UnreadableError:
        raise
    except Exception as error:
        # Of a damaged workbook openpyxl may raise whatever its parsers raise.
        raise UnreadableError(book.name, f"damaged workbook: {reason_of(error)}") from None


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


def _header(
    rows: Iterator[tuple[int, Sequence[Any]]], options: ReadOptions, found: list[str]
) -> Roles | None:
    for number, row in rows:
        names = ["" if cell is None else str(cell).strip() for cell in row]
        roles = find_roles(names, options)
        if roles.has_text and (not options.text_column or roles.text is not None):
            return roles
        if not found and sum(map(bool, names)) > 1:
            found += [name for name in names if name]
        if number >= _HEADER_ROWS:
            break
    return None


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
