"""Tables of text: CSV, TSV and their kin, with a header; scanners' exports among them."""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterator, Sequence

from cybersecqwen.core.records import ColumnValue, RecordProblem
from cybersecqwen.sources.advisories.columns import (
    Roles,
    advisory_of,
    find_roles,
    missing_text,
)
from cybersecqwen.sources.advisories.formats import Place, ReadOptions, Record, TextFormat
from cybersecqwen.sources.io import streams
from cybersecqwen.sources.io.streams import ByteSource, NotRecordsError, lines
from cybersecqwen.sources.io.text_encoding import LineDecoder

DELIMITERS = ",;\t|"

_DELIMITER_LINE = re.compile(rb"\"?sep=(.)\"?\s*$", re.IGNORECASE)
_NAME_ENDINGS = (".csv", ".tsv", ".psv", ".csv.txt")
_NOT_PROSE = re.compile(r"\S*\d\S*|https?://\S+|", re.ASCII)
_NOT_A_NAME = re.compile(r"\d|[.!?:]")
_LINES_TRIED = 10
_CERTAINLY_COLUMNS, _CERTAINLY_ROWS = 5, 3
"""As many cells in as many rows are no prose, whatever they hold."""
_LONGEST_NAME = 60


def header_of(line: str, options: ReadOptions | None = None) -> tuple[str, list[str]]:
    """Return the delimiter of a header line and its column names.

    The delimiter is the one under which a text column is named, else the most frequent one.
    """
    text = line.strip("\r\n")
    best = max(DELIMITERS, key=text.count)
    for delimiter in (best, *DELIMITERS):
        columns = _columns(text, delimiter)
        if find_roles(columns, options or ReadOptions()).has_text:
            return delimiter, columns
    return best, _columns(text, best)


def _columns(text: str, delimiter: str) -> list[str]:
    try:
        row = next(csv.reader([text], delimiter=delimiter), [])
    except csv.Error:
        row = text.split(delimiter)
    return [name.strip() for name in row]


def looks_like_table(head: bytes, name: str) -> bool:
    """Whether a text begins with a header: by a column for the text, its form, or its name."""
    rows = [line for line in head.split(b"\n")[: _LINES_TRIED + 1] if line.strip()]
    if not rows:
        return False
    if _DELIMITER_LINE.match(rows[0].rstrip()):
        return True
    first = rows[0][: 64 << 10].decode("utf-8", "replace")
    delimiter, columns = header_of(first)
    short = all(len(column) <= _LONGEST_NAME for column in columns)
    if (
        short
        and find_roles(columns, ReadOptions()).has_text
        and (len(columns) > 1 or _alone(first))
    ):
        return True
    stem = re.sub(r"\.(?:gz|bz2|xz|zst)$", "", name.lower())
    return stem.endswith(_NAME_ENDINGS) or _has_columns(columns, delimiter, rows[1:])


def _alone(header: str) -> bool:
    """Whether a header of a single column is a name and not a description of one word."""
    return bool(re.fullmatch(r"\s*\"?[A-Za-z][\w ]*\"?\s*", header))


def _has_columns(columns: Sequence[str], delimiter: str, rows: Sequence[bytes]) -> bool:
    """Whether rows have as many cells as the header, and one of them ids, numbers or addresses."""
    if len(columns) < 2 or not rows:
        return False
    if len(columns) < _CERTAINLY_COLUMNS and any(map(_NOT_A_NAME.search, columns)):
        return False
    cells = [_columns(row.decode("utf-8", "replace").strip(), delimiter) for row in rows]
    if len(rows) > 1:
        cells = cells[: len(cells) - 1] or cells  # the last one may be cut off
    if any(len(row) != len(columns) for row in cells):
        return False
    if len(columns) >= _CERTAINLY_COLUMNS and len(cells) >= _CERTAINLY_ROWS:
        return True
    return any(all(_NOT_PROSE.fullmatch(row[n]) for row in cells) for n in range(len(columns)))


def read_table(source: ByteSource, options: ReadOptions) -> Iterator[Record]:
    """Yield one advisory for each row under the header.

    Which column holds what is told by its name; see ``columns``. A first line ``sep=;`` names the
    delimiter. Rows that are no UTF-8 are read as Windows-1252 where the table is so throughout.

    Raises:
        NotRecordsError: There is no text column.
        UnreadableError: The stream breaks.
    """
    # The limit is the process's, not the reader's; it is raised, never lowered.
    csv.field_size_limit(max(csv.field_size_limit(), streams.MAX_RECORD_BYTES))
    feed = _Feed(source)
    delimiter, columns = _header(feed, options)
    roles = find_roles(columns, options)
    if not roles.has_text or (options.text_column and roles.text is None):
        raise NotRecordsError(source.name, missing_text(columns, options))
    if roles.summary is None and roles.text is not None and roles.text == roles.title:
        reason = f"no column of descriptions: the text is the headline, {roles.names[roles.text]!r}"
        yield RecordProblem(source.name, "", reason, "note")
    said = False
    rows = csv.reader(feed, delimiter=delimiter, strict=True)
    while True:
        # Rows of several lines are named by the first of them.
        feed.first = 0
        start = feed.number + 1
        try:
            row = next(rows, None)
        except csv.Error as error:
            yield from feed.problems()
            end = f", up to line {feed.number}" if feed.number > start else ""
            yield RecordProblem(f"{source.name}:{start}", "", f"not a table row{end}: {error}")
            continue
        yield from feed.problems()
        if row is None:
            return
        if any(cell.strip() for cell in row):
            place = Place(source.name, feed.first, by_line=True)
            record = _record(row, roles, place, options)
            if not said and record.id == place.fallback_id and not roles.has_id:
                said = True
                yield _no_id_column(source.name, roles, options)
            yield record


def _header(feed: _Feed, options: ReadOptions) -> tuple[str, list[str]]:
    first = next((line for line in feed if line.strip()), "")
    named = _DELIMITER_LINE.match(first.encode("utf-8").rstrip(b"\r\n"))
    if named is None:
        return header_of(first, options)
    delimiter = named[1].decode()
    header = next((line for line in feed if line.strip()), "")
    return delimiter, _columns(header.strip("\r\n"), delimiter)


def _no_id_column(name: str, roles: Roles, options: ReadOptions) -> RecordProblem:
    """Say once what a user would not see from the rows."""
    missing = f"no column {options.id_column!r}" if options.id_column else "no column holds an id"
    shown = ", ".join(column[:40] for column in roles.names[:20])
    reason = (
        f"{missing}, so rows are called by their line; columns found: {shown}; "
        "name the one that holds it: --id-column NAME"
    )
    return RecordProblem(name, "", reason, "note")


def _record(row: Sequence[str], roles: Roles, place: Place, options: ReadOptions) -> Record:
    last = max(column for column in (roles.text, roles.summary) if column is not None)
    if len(row) <= last and len(row) < len(roles.names):
        found = advisory_of(row, roles, place, options)
        if isinstance(found, RecordProblem):
            reason = f"the row has {len(row)} of {len(roles.names)} fields, none for the text"
            return RecordProblem(place.where, found.id, reason)
        return found
    if len(row) > len(roles.names):
        reason = f"the row has {len(row)} fields, the header {len(roles.names)}"
        return RecordProblem(place.where, "", reason)
    values: list[ColumnValue] = list(row)
    return advisory_of(values, roles, place, options)


class _Feed:
    """Lines as text for the csv module, which wants an iterator of nothing else."""

    def __init__(self, source: ByteSource) -> None:
        self.number = 0
        self.first = 0
        self._name = source.name
        self._problems: deque[RecordProblem] = deque()
        self._lines = lines(source, blank=True)
        self._decoder = LineDecoder()

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        for line in self._lines:
            if isinstance(line, RecordProblem):
                self._problems.append(line)
                continue
            self.number = line.number
            text = self._decoder.decode(line.content)
            if isinstance(text, UnicodeDecodeError):
                reason = f"not UTF-8 at byte {text.start + 1} of the line"
                self._problems.append(RecordProblem(f"{self._name}:{line.number}", "", reason))
                continue
            if "\x00" in text:
                where = f"{self._name}:{line.number}"
                self._problems.append(RecordProblem(where, "", "the line has a NUL character"))
                continue
            self.first = self.first or line.number
            return text + "\n"
        raise StopIteration

    def problems(self) -> Iterator[RecordProblem]:
        while self._problems:
            yield self._problems.popleft()


CSV = TextFormat(
    name="csv",
    title="CSV, TSV and the like; Nessus, OpenVAS, DefectDojo and KEV in CSV",
    recognised_by="a header with a column `description`, `summary` or the like, or `sep=`; "
    "column names however spelled",
    matches=looks_like_table,
    read=read_table,
)
