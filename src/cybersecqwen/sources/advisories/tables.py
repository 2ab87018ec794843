"""Tables of text: CSV, TSV and their kin, with a header; scanners' exports among them."""

from __future__ import annotations

import csv
import itertools
import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cybersecqwen.core.records import ColumnValue, RecordProblem
from cybersecqwen.sources.advisories.advisory_fields import ids_alone
from cybersecqwen.sources.advisories.column_names import plain_name
from cybersecqwen.sources.advisories.columns import (
    NAME_TEXT_COLUMN,
    Roles,
    TableHeader,
    advisory_of,
    find_header,
    find_roles,
    holds_prose,
    missing_text,
    shown_columns,
)
from cybersecqwen.sources.advisories.formats import Place, ReadOptions, Record, TextFormat
from cybersecqwen.sources.io import streams
from cybersecqwen.sources.io.streams import ByteSource, NotRecordsError, lines
from cybersecqwen.sources.io.text_encoding import LineDecoder

DELIMITERS = ",;\t|"

_DELIMITER_LINE = re.compile(r"\"?sep=(.)\"?\s*$", re.IGNORECASE)
_NAME_ENDINGS = (".csv", ".tsv", ".psv", ".csv.txt")
_NOT_PROSE = re.compile(r"\S*\d\S*|https?://\S+|", re.ASCII)
_NOT_A_NAME = re.compile(r"\d|[.!?:]")
_RULE = re.compile(r"\s*(?::?-{2,}:?)?\s*")
"""A cell of the line under the header of a table drawn in Markdown, or an empty one."""
_INVENTED = ("id", "description")
_LONGEST_NAME = 60
_LINES_TRIED = 20
_UNREADABLE = "\N{REPLACEMENT CHARACTER}"
"""What stands for a line that is in no encoding that is read."""
_OTHER_ENCODING = "the first line is neither UTF-8 nor Windows-1252: save the table as UTF-8"
_CERTAINLY_COLUMNS, _CERTAINLY_ROWS = 5, 3
"""As many cells in as many rows are no prose, whatever they hold."""


@dataclass(frozen=True, slots=True)
class _Beginning:
    """What the first lines of a table tell.

    Attributes:
        delimiter: Between two cells.
        columns: The names of the columns, or the cells of the first line where none is a header.
        before: Lines before the header that are no rows.
        roles: What the columns hold; None where that is not known.
        rows: Some rows below, for what names do not tell.
        headless: Whether the first line is a row already, the columns having no names.
    """

    delimiter: str
    columns: list[str]
    before: int
    roles: Roles | None
    rows: list[list[str]]
    headless: bool = False


def _begin(head: bytes, options: ReadOptions) -> _Beginning:
    """Look at the first lines of a table.

    The delimiter is the one that a first line ``sep=;`` names, else the one under which a text
    column is named, else the most frequent one of the first line.
    """
    decoder = LineDecoder()
    decoded = (decoder.decode(line.rstrip(b"\r")) for line in head.split(b"\n")[:_LINES_TRIED])
    shown = [line if isinstance(line, str) else _UNREADABLE for line in decoded]
    first = next((n for n, line in enumerate(shown) if line.strip()), 0)
    skipped = first
    named = _DELIMITER_LINE.match(shown[first])
    if named:
        skipped = next((n for n in range(first + 1, len(shown)) if shown[n].strip()), first + 1)
    lines_ = shown[skipped:] or [""]
    common = max(DELIMITERS, key=lines_[0].count)
    for delimiter in [named[1]] if named else dict.fromkeys((common, *DELIMITERS)):
        rows = [_cells(line, delimiter) for line in lines_]
        header = find_header(rows, options)
        if header and (not header.place or _stands_below(rows, header)):
            place = header.place
            below = rows[place + 1 :]
            return _Beginning(delimiter, rows[place], skipped + place, header.roles, below)
    rows = [_cells(line, named[1] if named else common) for line in lines_]
    delimiter = named[1] if named else common
    if roles := _headless(rows, options):
        return _Beginning(delimiter, list(roles.names), skipped, roles, rows, headless=True)
    return _Beginning(delimiter, rows[0], skipped, None, rows[1:])


def _stands_below(rows: Sequence[Sequence[str]], header: TableHeader) -> bool:
    """Whether a header below other lines is one: the row below it has as many cells.

    Of a header that names no ids there must be several cells.
    """
    below = rows[header.place + 1 :][:1]
    width = len(header.roles.names)
    surely = header.roles.has_id or width >= _CERTAINLY_COLUMNS
    return surely and bool(below) and len(below[0]) == width


def _headless(rows: Sequence[Sequence[str]], options: ReadOptions) -> Roles | None:
    """Return what the columns of a table without a header hold: one an id, one the text."""
    whole = [row for row in rows if any(row)]
    if not whole or len(whole[0]) < 2 or options.text_column or options.id_column:
        return None
    width = len(whole[0])
    if any(len(row) != width for row in whole[:-1] or whole):
        return None
    whole = whole[:-1] or whole  # the last one may be cut off
    ids = [n for n in range(width) if all(ids_alone(row[n]) for row in whole)]
    texts = [n for n in range(width) if holds_prose([[row[n]] for row in whole])]
    if len(ids) != 1 or len(texts) != 1:
        return None
    names = {ids[0]: "id", texts[0]: "description"}
    return find_roles([names.get(n, f"column {n + 1}") for n in range(width)], options)


def _cells(text: str, delimiter: str) -> list[str]:
    try:
        row = next(csv.reader([text.strip("\r\n")], delimiter=delimiter), [])
    except csv.Error:
        row = text.split(delimiter)
    return [name.strip() for name in row]


def looks_like_table(head: bytes, name: str) -> bool:
    """Whether a text begins with a header: by a column for the text, its form, or its name."""
    first = next((line for line in head.split(b"\n") if line.strip()), b"")
    if not first:
        return False
    if _DELIMITER_LINE.match(first.decode("utf-8", "replace")):
        return True
    found = _begin(head, ReadOptions())
    several = len(found.columns) > 1
    short = all(len(column) <= _LONGEST_NAME for column in found.columns)
    if found.roles and short and (several or _alone(first.decode("utf-8", "replace"))):
        return True
    stem = re.sub(r"\.(?:gz|bz2|xz|zst)$", "", name.lower())
    return stem.endswith(_NAME_ENDINGS) or _has_columns(found.columns, found.rows)


def _alone(header: str) -> bool:
    """Whether a header of a single column is a name and not a description of one word."""
    return bool(re.fullmatch(r"\s*\"?[A-Za-z][\w ]*\"?\s*", header))


def _has_columns(columns: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Whether rows have as many cells as the header, and one of them ids, numbers or addresses."""
    cells = [row for row in below if any(row)]
    if len(columns) < 2 or not cells:
        return False
    if len(columns) < _CERTAINLY_COLUMNS and any(map(_NOT_A_NAME.search, columns)):
        return False
    cells = cells[:-1] or cells  # the last one may be cut off
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
    found = _begin(source.peek(), options)
    roles = found.roles
    if roles is None or (not roles.has_text and holds_prose(found.rows)):
        if found.columns == [_UNREADABLE]:
            raise NotRecordsError(source.name, _OTHER_ENCODING)
        raise NotRecordsError(source.name, missing_text(found.columns, options))
    feed = _Feed(source, found.before + (not found.headless))
    yield from _notes(source.name, found, roles)
    said = False
    rows = csv.reader(feed, delimiter=found.delimiter, strict=True)
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
        if [cell.strip() for cell in row] == list(roles.names):
            reason = "the header once more, passed over"
            yield RecordProblem(f"{source.name}:{feed.first}", "", reason, "note")
        elif not all(map(_RULE.fullmatch, row)):
            place = Place(source.name, feed.first, by_line=True)
            record = _record(row, roles, place, options)
            if not said and record.id == place.fallback_id and not roles.has_id:
                said = True
                yield _no_id_column(source.name, roles, options)
            yield record


def _notes(name: str, found: _Beginning, roles: Roles) -> Iterator[RecordProblem]:
    """Say what a user would not see from the rows."""
    reason = ""
    if found.headless:
        which = " and ".join(f"column {roles.names.index(n) + 1} as {n}" for n in _INVENTED)
        reason = f"a table without a header; {which}"
    elif not roles.has_text:
        reason = "no column of descriptions, so ids are looked up in the local store"
        if len(found.columns) > 1:
            reason += f"; {shown_columns(found.columns)}; {NAME_TEXT_COLUMN}"
    elif roles.summary is None and roles.text is not None and roles.text == roles.title:
        reason = f"no column of descriptions: the text is the headline, {roles.names[roles.text]!r}"
    if reason:
        yield RecordProblem(name, "", reason, "note")


def _no_id_column(name: str, roles: Roles, options: ReadOptions) -> RecordProblem:
    """Say once what a user would not see from the rows."""
    missing = f"no column {options.id_column!r}" if options.id_column else "no column holds an id"
    reason = (
        f"{missing}, so rows are called by their line; {shown_columns(roles.names)}; "
        "name the one that holds it: --id-column NAME"
    )
    return RecordProblem(name, "", reason, "note")


def _record(row: Sequence[str], roles: Roles, place: Place, options: ReadOptions) -> Record:
    texts = (column for column in (roles.text, roles.summary) if column is not None)
    last = max(texts, default=-1)
    if len(row) <= last and len(row) < len(roles.names):
        found = advisory_of(row, roles, place, options)
        if isinstance(found, RecordProblem):
            reason = f"the row has {len(row)} of {len(roles.names)} fields, none for the text"
            return RecordProblem(place.where, found.id, reason)
        return found
    if len(row) > len(roles.names):
        reason = f"the row has {len(row)} fields, the header {len(roles.names)}"
        return RecordProblem(place.where, "", reason)
    if roles.text is not None and plain_name(row[roles.text]) == plain_name(
        roles.names[roles.text]
    ):
        return RecordProblem(place.where, "", "a header among the rows, no record")
    values: list[ColumnValue] = list(row)
    return advisory_of(values, roles, place, options)


class _Feed:
    """Lines as text for the csv module, which wants an iterator of nothing else."""

    def __init__(self, source: ByteSource, skip: int = 0) -> None:
        self.number = 0
        self.first = 0
        self._name = source.name
        self._problems: deque[RecordProblem] = deque()
        self._lines = lines(source, blank=True)
        self._decoder = LineDecoder()
        for line in itertools.islice(self._lines, skip):
            # What stands over the rows tells the encoding too.
            if not isinstance(line, RecordProblem):
                self.number = line.number
                self._decoder.decode(line.content)

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
