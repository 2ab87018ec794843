"""The taxonomy table that ships inside, derived from MITRE's catalogue."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.files import atomic_write
from cybersecqwen.core.taxonomy import CweTable, Weakness, canonical_cwe
from cybersecqwen.sources.catalogues.cwe_pages import CwePage, CwePages, CweRelation, read_pages

_RESEARCH_VIEW = "1000"
_NVD_VIEW = "1003"
"""Weaknesses for Simplified Mapping of Published Vulnerabilities, which NVD's analysts use."""


def read_cwe(path: Path) -> CweTable:
    """Read a catalogue as a table; see ``read_pages``.

    Raises:
        InputError: The file cannot be read, is damaged, or is no CWE catalogue; or one of its
            pages cannot be read, since a table with a gap would be wrong.
    """
    found = read_pages(path)
    if found.problems:
        problem = found.problems[0]
        raise InputError(f"{problem.where}: {problem.reason}; the table needs every page")
    return _table(found, path)


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


def _table(found: CwePages, path: Path) -> CweTable:
    members = {
        member.cwe
        for kind, page in found.pages
        if kind == "view" and page.id == _NVD_VIEW
        for member in page.members
    }
    entries = [
        _entry(page, page.abstraction.lower() if kind == "weakness" else kind, members, path)
        for kind, page in found.pages
    ]
    entries.sort(key=lambda entry: int(entry.id.removeprefix("CWE-")))
    return CweTable(found.version, found.date, entries)


def _entry(page: CwePage, kind: str, members: set[str], path: Path) -> Weakness:
    parents_1003 = _parents(page.related_weaknesses, _NVD_VIEW, path)
    return Weakness(
        id=_cwe(page.id, path),
        name=page.name,
        kind=kind,
        usage=page.mapping_notes.usage.lower() if page.mapping_notes else "",
        parents=_parents(page.related_weaknesses, _RESEARCH_VIEW, path),
        parents_1003=parents_1003,
        in_1003=bool(parents_1003) or page.id in members,
        deprecated=page.status == "Deprecated",
    )


def _parents(related: Iterable[CweRelation], view: str, path: Path) -> tuple[str, ...]:
    found = (r.cwe for r in related if r.nature == "ChildOf" and r.view == view)
    return tuple(dict.fromkeys(_cwe(number, path) for number in found))


def _cwe(number: str, path: Path) -> str:
    cwe = canonical_cwe(number)
    if cwe is None:
        raise InputError(f"{path}: no CWE catalogue: {number[:40]!r} is no CWE id")
    return cwe
