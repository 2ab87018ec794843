"""Tables of text: CSV, TSV and their kin, with a header."""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterator, Sequence

from cybersecqwen.core.records import Advisory, LabelSource, RecordProblem
from cybersecqwen.sources.advisories.advisory_fields import finish, labels_of
from cybersecqwen.sources.io import streams
from cybersecqwen.sources.io.streams import ByteSource, UnreadableError, lines

DELIMITERS = ",;\t|"

TEXT_COLUMNS = ("description", "text", "summary")
_ID_COLUMNS = ("id", "cve", "cve_id", "cveid", "url")
_NOT_UTF8 = re.compile("[\udc80-\udcff]")  # as surrogateescape carries such bytes
_LABEL_COLUMNS = ("cwe", "cwes", "cwe_id", "gt")


def header_of(line: bytes) -> tuple[str, list[str]]:
    """Return the delimiter of a header line and its column names in lower case.

    The delimiter is the one under which a text column is named, else the most frequent one.
    """
    text = line.decode("utf-8", "replace").strip("\r\n")
    best = max(DELIMITERS, key=text.count)
    for delimiter in (best, *DELIMITERS):
        columns = _columns(text, delimiter)
        if any(name in columns for name in TEXT_COLUMNS):
            return delimiter, columns
    return best, _columns(text, best)


def _columns(text: str, delimiter: str) -> list[str]:
    try:
        row = next(csv.reader([text], delimiter=delimiter), [])
    except csv.Error:
        row = text.split(delimiter)
    return [name.strip().lower() for name in row]


def read_table(
    source: ByteSource, labels_from: LabelSource = "nvd"
) -> Iterator[Advisory | RecordProblem]:
    """Yield one advisory for each row under the header.

    The text is the column ``description``, ``text`` or ``summary``; the id ``id``, ``cve``,
    ``cve_id``, ``cveId`` or the last part of ``url``, else ``line-N``; labels are ``cwe`` or
    ``gt``, in any number; the date is ``published``. Case does not matter.

    Raises:
        UnreadableError: There is no text column, or the stream breaks.
    """
    # The limit is the process's, not the reader's; it is raised, never lowered.
    csv.field_size_limit(max(csv.field_size_limit(), streams.MAX_RECORD_BYTES))
    feed = _Feed(source)
    first = next((line for line in feed if line.strip()), None)
    feed.first = 0
    if first is None:
        raise UnreadableError(source.name, "the table is empty")
    delimiter, columns = header_of(first.encode("utf-8", "surrogateescape"))
    text_column = _find(columns, TEXT_COLUMNS)
    if text_column is None:
        raise UnreadableError(
            source.name,
            f"no column {', '.join(TEXT_COLUMNS)}; columns found: {', '.join(columns)}",
        )
    roles = _Roles(text_column, _find(columns, _ID_COLUMNS), columns, labels_from)
    rows = csv.reader(feed, delimiter=delimiter, strict=True)
    while True:
        # Rows of several lines are named by the first of them.
        start = feed.number + 1
        try:
            row = next(rows, None)
        except csv.Error as error:
            yield from feed.problems()
            end = f", up to line {feed.number}" if feed.number > start else ""
            yield RecordProblem(f"{source.name}:{start}", "", f"not a table row{end}: {error}")
            feed.first = 0
            continue
        yield from feed.problems()
        if row is None:
            return
        if row:
            yield roles.advisory(row, f"{source.name}:{feed.first}", f"line-{feed.first}")
        feed.first = 0


class _Feed:
    """Lines as text for the csv module, which wants an iterator of nothing else."""

    def __init__(self, source: ByteSource) -> None:
        self.number = 0
        self.first = 0
        self._problems: deque[RecordProblem] = deque()
        self._lines = lines(source, blank=True)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        for line in self._lines:
            if isinstance(line, RecordProblem):
                self._problems.append(line)
                continue
            self.number = line.number
            self.first = self.first or line.number
            # Bytes that are no UTF-8 are carried through to the row they belong to.
            return line.content.decode("utf-8", "surrogateescape") + "\n"
        raise StopIteration

    def problems(self) -> Iterator[RecordProblem]:
        while self._problems:
            yield self._problems.popleft()


def _find(columns: Sequence[str], names: Sequence[str]) -> int | None:
    return next((columns.index(name) for name in names if name in columns), None)


class _Roles:
    """Which column holds what."""

    def __init__(
        self, text: int, name: int | None, columns: Sequence[str], labels_from: LabelSource
    ) -> None:
        self._text = text
        self._name = name
        self._is_url = name is not None and columns[name] == "url"
        self._cwe = _find(columns, _LABEL_COLUMNS)
        self._published = _find(columns, ("published",))
        self._labels_from = labels_from

    def advisory(self, row: list[str], where: str, fallback_id: str) -> Advisory | RecordProblem:
        name = _cell(row, self._name).strip() or fallback_id
        if self._is_url:
            name = name.rstrip("/").rsplit("/", 1)[-1]
        text = _cell(row, self._text)
        bad = next(filter(None, map(_NOT_UTF8.search, row)), None)
        if bad:
            return RecordProblem(where, "", f"not UTF-8 at character {bad.start() + 1} of a field")
        if len(row) <= self._text:
            return RecordProblem(where, name, f"the row has {len(row)} fields, none for the text")
        labels = labels_of([_cell(row, self._cwe)], self._labels_from)
        published = _cell(row, self._published).strip()
        return finish(where, name, text, labels=labels, published=published)


def _cell(row: list[str], column: int | None) -> str:
    return row[column] if column is not None and column < len(row) else ""
