"""CSV: RFC 4180, UTF-8, with a header."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from itertools import chain

from cybersecqwen.apps.outputs.rows import MapRow
from cybersecqwen.apps.outputs.spool import RowSpool
from cybersecqwen.apps.outputs.spreadsheet import Cell, SheetColumns, is_formula


def write_csv(rows: Iterable[MapRow]) -> Iterator[bytes]:
    """Return the rows as CSV, with the input's own columns after ours.

    ``candidates`` is one cell: ``CWE-79 0.9|CWE-80 0.05``. A cell that a spreadsheet would take
    for a formula gets an apostrophe in front.
    """
    with RowSpool(rows) as spool:
        columns = SheetColumns(spool)
        yield from csv_lines(columns.names, map(columns.cells, spool))


def csv_lines(names: Iterable[str], lines: Iterable[Iterable[Cell]]) -> Iterator[bytes]:
    """Return a header and lines of cells as CSV, with no formula in it."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\r\n")
    for cells in chain([names], lines):
        buffer.seek(0)
        buffer.truncate()
        writer.writerow(map(_written, cells))
        yield buffer.getvalue().encode("utf-8")


def _written(cell: Cell) -> str | float | None:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, str) and is_formula(cell):
        return f"'{cell}"
    return cell
