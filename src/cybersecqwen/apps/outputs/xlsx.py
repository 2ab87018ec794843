"""XLSX: one sheet of rows for people who sort and filter, and what it stands on."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import xlsxwriter

from cybersecqwen.apps.outputs.rows import MapRow
from cybersecqwen.apps.outputs.spool import RowSpool
from cybersecqwen.apps.outputs.spreadsheet import Cell, SheetColumns, is_formula

_MOST_ROWS = 1_048_575  # of a sheet, its header aside
_MOST_CHARACTERS = 32_767  # of a cell
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC).replace(tzinfo=None)
"""A date of its own would make the same rows other bytes each time."""

_WIDTHS = {
    "id": 18, "cwe": 10, "name": 42, "description": 70, "title": 36, "candidates": 24, "url": 44,
    "cvss": 34, "model": 22,
}  # fmt: skip
_CONTROLS = {code: "\ufffd" for code in range(32) if code not in {9, 10}} | {
    0xFFFE: "\ufffd",
    0xFFFF: "\ufffd",
}


def write_xlsx(rows: Iterable[MapRow]) -> Iterator[bytes]:
    """Return a workbook: strings stay strings, so that no cell is a formula or a link.

    A cell holds 32,767 characters, what is longer is cut with an ellipsis; a sheet holds 1,048,575
    rows, further ones go to a sheet of their own.
    """
    made = io.BytesIO()
    book = xlsxwriter.Workbook(
        made,
        {
            "constant_memory": True,
            "strings_to_formulas": False,
            "strings_to_numbers": False,
            "strings_to_urls": False,
            "nan_inf_to_errors": True,
        },
    )
    book.set_properties({"created": _EPOCH, "title": "Weaknesses by record"})
    with RowSpool(rows) as spool:
        _Sheets(book, SheetColumns(spool)).write(spool)
    book.close()
    yield made.getvalue()


class _Sheets:
    """The sheets of a workbook.

    Args:
        book: The workbook.
        columns: The columns of every sheet.
    """

    def __init__(self, book: Any, columns: SheetColumns) -> None:
        self._book = book
        self._columns = columns
        self._head = book.add_format({"bold": True, "bottom": 1})
        self._share = book.add_format({"num_format": "0.0%"})
        # The mark of a cell that was typed with an apostrophe: it stays text when it is edited.
        self._text = book.add_format({"quote_prefix": True})

    def write(self, spool: RowSpool) -> None:
        sheet = self._new_sheet(1, len(spool))
        for number, row in enumerate(spool):
            place = number % _MOST_ROWS
            if number and place == 0:
                sheet = self._new_sheet(1 + number // _MOST_ROWS, len(spool) - number)
            for column, cell in enumerate(self._columns.cells(row)):
                self._write(sheet, place + 1, column, cell)

    def _new_sheet(self, number: int, rows: int) -> Any:
        sheet = self._book.add_worksheet(f"Rows {number}" if number > 1 else "Rows")
        names = self._columns.names
        for column, name in enumerate(names):
            sheet.set_column(column, column, _WIDTHS.get(name, 14))
        sheet.freeze_panes(1, 2)
        sheet.autofilter(0, 0, min(rows, _MOST_ROWS), len(names) - 1)
        for column, name in enumerate(names):
            sheet.write_string(0, column, _legal(name), self._head)
        return sheet

    def _write(self, sheet: Any, row: int, column: int, cell: Cell) -> None:
        if cell is None or cell == "":
            return
        if isinstance(cell, bool):
            sheet.write_boolean(row, column, cell)
        elif isinstance(cell, str):
            sheet.write_string(row, column, _legal(cell), self._text if is_formula(cell) else None)
        else:
            share = self._columns.names[column] in {"confidence", "backoff_probability"}
            sheet.write_number(row, column, cell, self._share if share else None)


def _legal(text: str) -> str:
    """Return a text as a cell may hold it: XML has no control characters, Excel 32,767 others."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").translate(_CONTROLS)
    # Excel counts UTF-16 units.
    if len(text) * 2 > _MOST_CHARACTERS and len(text.encode("utf-16-le")) // 2 > _MOST_CHARACTERS:
        cut = text.encode("utf-16-le")[: 2 * (_MOST_CHARACTERS - 1)]
        return cut.decode("utf-16-le", "ignore") + "…"
    return text
