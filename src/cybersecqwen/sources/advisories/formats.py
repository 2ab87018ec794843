"""What a source format is: how it is recognised, and what turns its records into advisories."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from cybersecqwen.core.records import Advisory, LabelSource, RecordProblem
from cybersecqwen.sources.io.streams import ByteSource
from cybersecqwen.sources.io.unpack import Workbook

Record = Advisory | RecordProblem
Json = bytes | msgspec.Raw
JsonObject = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record stands.

    Attributes:
        file: The file, or the archive and its member.
        number: Of the line or the record, from 1.
        by_line: Whether ``number`` counts lines.
        part: Its place in the record, where one holds several.
    """

    file: str
    number: int
    by_line: bool = False
    part: str = ""

    @property
    def where(self) -> str:
        """The place in words, for messages."""
        if self.by_line and not self.part:
            return f"{self.file}:{self.number}"
        kind = "line" if self.by_line else "record"
        return f"{self.file}: {kind} {self.number}{self.part and f', {self.part}'}"

    @property
    def line(self) -> int:
        """The line, or 0 where it is not known."""
        return self.number if self.by_line else 0

    @property
    def fallback_id(self) -> str:
        """The id of a record that has none."""
        return f"{'line' if self.by_line else 'record'}-{self.number}"

    def inside(self, part: str) -> Place:
        """Return the place of a part of this record."""
        return Place(self.file, self.number, self.by_line, part)


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What a caller knows of an input better than its content tells.

    Attributes:
        labels_from: Who assigned the labels of rows that do not say so.
        text_column: Name of the column or key that holds the text, where it is not recognised.
        id_column: The same for the id.
    """

    labels_from: LabelSource = "other"
    text_column: str = ""
    id_column: str = ""


class ParseRecord(Protocol):
    """Turns the JSON of one record into what it says, or what is wrong with it."""

    def __call__(self, content: Json, place: Place, context: Any, /) -> Iterable[Record]:
        """Return the advisories that stand in one record; mostly one.

        Args:
            content: The record's JSON.
            place: Where it stands.
            context: What the format's ``open_document`` returned for the document around it; None
                where it stands alone.
        """
        ...


def _never(_value: JsonObject) -> bool:
    return False


def _no_context(_members: Mapping[str, Json]) -> None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonFormat:
    """A format whose records are JSON objects: alone, one a line, in an array, in a document.

    Attributes:
        name: As ``--format`` takes it.
        title: What it is called.
        recognised_by: By what, in a line for the guide.
        is_record: Whether an object is a record of this format.
        parse: Turns a record into advisories.
        is_document: Whether an object is a document of this format, which holds records.
        members: Names of the document's members whose arrays hold the records.
        open_document: Reads from the document's other members what its records refer to.
    """

    name: str
    title: str
    recognised_by: str
    is_record: Callable[[JsonObject], bool]
    parse: ParseRecord
    is_document: Callable[[JsonObject], bool] = _never
    members: tuple[str, ...] = ()
    open_document: Callable[[Mapping[str, Json]], Any] = _no_context


@dataclass(frozen=True, slots=True, kw_only=True)
class TextFormat:
    """A format that is no JSON.

    Attributes:
        name: As ``--format`` takes it.
        title: What it is called.
        recognised_by: By what, in a line for the guide.
        matches: Whether the first bytes of a file, in UTF-8, are of this format; its name is given
            too, for what the content leaves open.
        read: Reads such a file.
    """

    name: str
    title: str
    recognised_by: str
    matches: Callable[[bytes, str], bool]
    read: Callable[[ByteSource, ReadOptions], Iterator[Record]]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkbookFormat:
    """A format that is a zip of its own kind; ``matches`` is left to who unpacks zips.

    Attributes:
        name: As ``--format`` takes it.
        title: What it is called.
        recognised_by: By what, in a line for the guide.
        read: Reads such a file.
    """

    name: str
    title: str
    recognised_by: str
    read: Callable[[Workbook, ReadOptions], Iterator[Record]]


SourceFormat = JsonFormat | TextFormat | WorkbookFormat
