"""MITRE's CWE catalogue, in its XML form (``cwec_*.xml``) and its JSON form, as a taxonomy table.

Both forms carry the same facts under other names (``Related_Weakness CWE_ID`` here,
``RelatedWeaknesses[].CweID`` there) and give the same table. Schema of the XML:
https://cwe.mitre.org/data/xsd/cwe_schema_latest.xsd.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree.ElementTree import ParseError, XMLParser

import msgspec

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.files import atomic_write
from cybersecqwen.core.records import Weakness
from cybersecqwen.core.taxonomy import CweTable, canonical_cwe
from cybersecqwen.sources.io.streams import ByteSource, UnreadableError
from cybersecqwen.sources.io.unpack import open_sources

_RESEARCH_VIEW = "1000"
_NVD_VIEW = "1003"
"""Weaknesses for Simplified Mapping of Published Vulnerabilities, which NVD's analysts use."""


class _TableRelated(msgspec.Struct):
    nature: str = msgspec.field(name="Nature")
    cwe: str = msgspec.field(name="CweID")
    view: str = msgspec.field(name="ViewID", default="")


class _TableMapping(msgspec.Struct):
    usage: str = msgspec.field(name="Usage", default="")


class _TableMember(msgspec.Struct):
    cwe: str = msgspec.field(name="CweID")


class _TablePage(msgspec.Struct):
    """A weakness, category or view of either form."""

    id: str = msgspec.field(name="ID")
    name: str = msgspec.field(name="Name")
    abstraction: str = msgspec.field(name="Abstraction", default="")
    status: str = msgspec.field(name="Status", default="")
    related: list[_TableRelated] = msgspec.field(name="RelatedWeaknesses", default_factory=list)
    mapping: _TableMapping | None = msgspec.field(name="MappingNotes", default=None)
    members: list[_TableMember] = msgspec.field(name="Members", default_factory=list)


class _TableDocument(msgspec.Struct):
    weaknesses: list[_TablePage] = msgspec.field(name="Weaknesses")
    version: str = msgspec.field(name="ContentVersion")
    date: str = msgspec.field(name="ContentDate")
    categories: list[_TablePage] = msgspec.field(name="Categories", default_factory=list)
    views: list[_TablePage] = msgspec.field(name="Views", default_factory=list)


def read_cwe(path: Path) -> CweTable:
    """Read a catalogue: XML or JSON, plain, gzip or zip, told apart by content.

    Raises:
        InputError: The file cannot be read, is damaged, or is no CWE catalogue; or its XML brings
            a document type, which MITRE's does not and which could expand without bound.
    """
    for source in open_sources(path, io.BytesIO()):
        if isinstance(source, UnreadableError):
            raise source
        if not isinstance(source, ByteSource):
            raise UnreadableError(source.name, "an Excel workbook, no CWE catalogue")
        head = source.as_utf8().peek().lstrip()
        if not head:
            raise UnreadableError(source.name, "empty: there is nothing to read")
        document = _read_xml(source) if head.startswith(b"<") else _read_json(source)
        return _table(document, source.name)
    raise InputError(f"{path}: holds no CWE catalogue")


def write_cwe_table(table: CweTable, path: Path) -> None:
    """Write the table that ships as ``core/cwe_table.json``, atomically; one entry a line.

    Raises:
        OSError: The folder cannot be written.
    """
    encode = msgspec.json.encode
    with atomic_write(path) as stream:
        stream.write(b'{"version":%s,"date":%s,' % (encode(table.version), encode(table.date)))
        entries = b",\n".join(encode(entry) for entry in table.entries)
        stream.write(b'"entries":[\n%s\n]}\n' % entries)


def _read_json(source: ByteSource) -> _TableDocument:
    try:
        return msgspec.json.decode(source.read(), type=_TableDocument)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableError(source.name, f"no CWE catalogue in JSON: {error}") from error


def _read_xml(source: ByteSource) -> _TableDocument:
    target = _Target()
    parser = XMLParser(target=target)
    try:
        while piece := source.take():
            parser.feed(piece)
        parser.close()
    except (ParseError, KeyError, _NoCatalogueError) as error:
        if isinstance(error, KeyError):
            reason = f"an element lacks its attribute {error}"
        else:
            reason = str(error)
        raise UnreadableError(source.name, f"no CWE catalogue in XML: {reason}") from error
    return target.document


class _NoCatalogueError(Exception):
    """The XML is well-formed and something else."""


@dataclass
class _Target:
    """Takes the parser's events as they come; nothing that is not asked for is kept."""

    document: _TableDocument = field(default_factory=lambda: _TableDocument([], "", ""))
    _page: _TablePage | None = None
    _text: list[str] | None = None

    def doctype(self, _name: str, _public: str | None, _system: str | None) -> None:
        raise _NoCatalogueError("it has a document type declaration, which is refused")

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition("}")[2]
        if not self.document.version:
            if name != "Weakness_Catalog":
                raise _NoCatalogueError(f"its root is {name}, not Weakness_Catalog")
            self.document.version = attributes["Version"]
            self.document.date = attributes["Date"]
        elif name in {"Weakness", "Category", "View"}:
            self._page = _TablePage(
                attributes["ID"],
                attributes["Name"],
                attributes.get("Abstraction", ""),
                attributes.get("Status", ""),
                mapping=_TableMapping(),
            )
            self._pages(name).append(self._page)
        elif self._page is None:
            return
        elif name == "Related_Weakness":
            related = _TableRelated(
                attributes["Nature"], attributes["CWE_ID"], attributes.get("View_ID", "")
            )
            self._page.related.append(related)
        elif name == "Has_Member":
            self._page.members.append(_TableMember(attributes["CWE_ID"]))
        elif name == "Usage":
            self._text = []

    def data(self, text: str) -> None:
        if self._text is not None:
            self._text.append(text)

    def end(self, tag: str) -> None:
        name = tag.rpartition("}")[2]
        if name in {"Weakness", "Category", "View"}:
            self._page = None
        elif name == "Usage" and self._text is not None:
            if self._page and self._page.mapping:
                self._page.mapping.usage = "".join(self._text).strip()
            self._text = None

    def close(self) -> None:
        if not self.document.weaknesses:
            raise _NoCatalogueError("it holds no weakness")

    def _pages(self, name: str) -> list[_TablePage]:
        document = self.document
        if name == "Weakness":
            return document.weaknesses
        return document.categories if name == "Category" else document.views


def _table(document: _TableDocument, name: str) -> CweTable:
    members = {
        member.cwe for view in document.views if view.id == _NVD_VIEW for member in view.members
    }
    kinds = (
        *((page, page.abstraction.lower()) for page in document.weaknesses),
        *((page, "category") for page in document.categories),
        *((page, "view") for page in document.views),
    )
    entries = [_entry(page, kind, members, name) for page, kind in kinds]
    entries.sort(key=lambda entry: int(entry.id.removeprefix("CWE-")))
    return CweTable(document.version, document.date, entries)


def _entry(page: _TablePage, kind: str, members: set[str], name: str) -> Weakness:
    parents_1003 = _parents(page.related, _NVD_VIEW, name)
    return Weakness(
        id=_cwe(page.id, name),
        name=page.name,
        kind=kind,
        usage=page.mapping.usage.lower() if page.mapping else "",
        parents=_parents(page.related, _RESEARCH_VIEW, name),
        parents_1003=parents_1003,
        in_1003=bool(parents_1003) or page.id in members,
        deprecated=page.status == "Deprecated",
    )


def _parents(related: Iterable[_TableRelated], view: str, name: str) -> tuple[str, ...]:
    found = (r.cwe for r in related if r.nature == "ChildOf" and r.view == view)
    return tuple(dict.fromkeys(_cwe(number, name) for number in found))


def _cwe(number: str, name: str) -> str:
    cwe = canonical_cwe(number)
    if cwe is None:
        raise UnreadableError(name, f"no CWE catalogue: {number[:40]!r} is no CWE id")
    return cwe
