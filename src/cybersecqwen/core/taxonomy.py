"""The CWE graph: names, parents, mapping usage, and ancestors for backing off.

A small table of facts ships with the package (``cwe_table.json``, made from MITRE's catalogue by
``cybersecqwen data cwe-table``), so that everything that needs a name or a parent works offline.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import msgspec

from cybersecqwen.core.errors import InputError

_CWE_ID = re.compile(r"\s*(?:CWE[-_ :]?)?0*([1-9]\d{0,5})\s*", re.IGNORECASE)


def canonical_cwe(text: str) -> str | None:
    """Return ``CWE-<number>`` for any common spelling of an id, or None where there is none.

    NVD's placeholders (``NVD-CWE-Other``, ``NVD-CWE-noinfo``) name no weakness and give None.
    """
    match = _CWE_ID.fullmatch(text)
    return f"CWE-{match[1]}" if match else None


@dataclass(frozen=True, slots=True)
class Weakness:
    """A CWE entry as the taxonomy needs it.

    Attributes:
        id: Canonical id such as ``CWE-79``.
        name: MITRE's name.
        kind: ``pillar``, ``class``, ``base``, ``variant``, ``compound``, ``category`` or ``view``.
        usage: MITRE's mapping usage: ``allowed``, ``allowed-with-review``, ``discouraged`` or
            ``prohibited``.
        parents: Ids it is a child of in the research view (CWE-1000).
        parents_1003: Ids it is a child of in view CWE-1003.
        in_1003: Whether view CWE-1003 contains it.
        deprecated: Whether MITRE has deprecated it.
    """

    id: str
    name: str
    kind: str
    usage: str
    parents: tuple[str, ...] = ()
    parents_1003: tuple[str, ...] = ()
    in_1003: bool = False
    deprecated: bool = False


class CweTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The shipped file: the catalogue's version, its date and its entries."""

    version: str
    date: str
    entries: list[Weakness]


class Taxonomy:
    """A CWE catalogue as a graph.

    Args:
        entries: All weaknesses, categories and views.
        version: The catalogue's version, such as ``4.19.1``.
        date: The catalogue's date as ``YYYY-MM-DD``.
    """

    def __init__(self, entries: Iterable[Weakness], version: str, date: str) -> None:
        self.version = version
        self.date = date
        self._by_id: Mapping[str, Weakness] = {entry.id: entry for entry in entries}
        self._children: dict[str, list[str]] = {}
        for entry in self._by_id.values():
            for parent in entry.parents:
                self._children.setdefault(parent, []).append(entry.id)

    def __contains__(self, cwe: str) -> bool:
        return cwe in self._by_id

    def __iter__(self) -> Iterator[Weakness]:
        return iter(self._by_id.values())

    def __len__(self) -> int:
        return len(self._by_id)

    def get(self, cwe: str) -> Weakness | None:
        """Return the entry of a canonical id, or None where the catalogue has none."""
        return self._by_id.get(cwe)

    def name(self, cwe: str) -> str:
        """Return MITRE's name of an id, or an empty string where the catalogue has none."""
        entry = self._by_id.get(cwe)
        return entry.name if entry else ""

    def is_mappable(self, cwe: str) -> bool:
        """Whether MITRE allows mapping a vulnerability to this id at all.

        Categories, views, deprecated entries and ids whose mapping usage is Prohibited are out;
        Discouraged ids are in (NVD still uses them), and reported by whoever counts labels.
        """
        entry = self._by_id.get(cwe)
        return entry is not None and entry.usage != "prohibited" and not entry.deprecated

    def ancestors(self, cwe: str) -> frozenset[str]:
        """Return every ancestor of an id in the research view (CWE-1000), itself left out."""
        found: set[str] = set()
        queue = [cwe]
        while queue:
            entry = self._by_id.get(queue.pop())
            for parent in entry.parents if entry else ():
                if parent not in found:
                    found.add(parent)
                    queue.append(parent)
        return frozenset(found)

    def children(self, cwe: str) -> tuple[str, ...]:
        """Return the ids right below an id in the research view (CWE-1000)."""
        return tuple(self._children.get(cwe, ()))

    def depth(self, cwe: str) -> int:
        """Return the length of the longest path from a pillar down to an id; a pillar has 0."""
        entry = self._by_id.get(cwe)
        parents = [p for p in entry.parents if p in self._by_id] if entry else []
        return 1 + max(map(self.depth, parents)) if parents else 0


@lru_cache(maxsize=1)
def shipped_taxonomy() -> Taxonomy:
    """Load the table that ships with the package.

    Raises:
        InputError: The installation is damaged: the table is missing or not readable.
    """
    resource = files("cybersecqwen.core").joinpath("cwe_table.json")
    try:
        table = msgspec.json.decode(resource.read_bytes(), type=CweTable)
    except (OSError, msgspec.DecodeError) as error:
        raise InputError(f"the shipped CWE table cannot be read, reinstall: {error}") from error
    return Taxonomy(table.entries, table.version, table.date)
