"""CWE, CAPEC and ATT&CK as a graph: entries, links both ways, kin, look-alikes, passages."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from cybersecqwen.core.passages import merge_entries, page_of, passages_of
from cybersecqwen.core.records import Catalogue, Entry, Passage
from cybersecqwen.core.text.clean import normalised
from cybersecqwen.sources.catalogues.catalogue import read_catalogue

_KINSHIP = ("child of", "sub-technique of")
_CROWD = 60
"""Pages that share one link with a page, at most, that are looked at for likeness."""


@dataclass(frozen=True)
class CatalogueLibrary:
    """Catalogues, merged and cut into passages as the knowledge base does, with its citation ids.

    Attributes:
        catalogues: The catalogues' entries.
        entries: Their entries by id; of an id that several have, the first catalogue's.
        passages: What the entries were cut into.
    """

    catalogues: Sequence[Catalogue]
    entries: Mapping[str, Entry]
    passages: Sequence[Passage]

    @classmethod
    def of(cls, catalogues: Sequence[Catalogue]) -> CatalogueLibrary:
        """Merge catalogues and cut them into passages."""
        entries = merge_entries(catalogues)
        return cls(catalogues, entries, list(passages_of(entries)))

    @classmethod
    def read(cls, paths: Iterable[Path]) -> CatalogueLibrary:
        """Read catalogue files, CWE or STIX.

        Raises:
            InputError: A file cannot be read as a catalogue.
        """
        return cls.of([read_catalogue(path) for path in paths])

    def catalogue_of(self, page: str) -> Catalogue:
        """Return the first catalogue that has a page."""
        return self._owners[page]

    @cached_property
    def _owners(self) -> dict[str, Catalogue]:
        return {
            entry.id: catalogue
            for catalogue in reversed(self.catalogues)
            for entry in catalogue.entries
        }


class CatalogueGraph:
    """Entries that are not withdrawn, and the passages they were cut into.

    Args:
        entries: All entries by id.
        passages: Passages of those entries.
    """

    def __init__(self, entries: Mapping[str, Entry], passages: Iterable[Passage]) -> None:
        self.entries = {name: entry for name, entry in entries.items() if not entry.withdrawn}
        self.by_kind: dict[str, list[Entry]] = defaultdict(list)
        self._incoming: dict[tuple[str, str], list[str]] = defaultdict(list)
        for entry in self.entries.values():
            self.by_kind[entry.kind].append(entry)
            for relation, target in entry.links:
                self._incoming[relation, target].append(entry.id)
        self._by_word: dict[tuple[str, str], list[str]] = defaultdict(list)
        for entry in self.entries.values():
            for word in dict.fromkeys(normalised(entry.name).split()):
                self._by_word[entry.kind, word].append(entry.id)
        self._pages: dict[str, list[Passage]] = defaultdict(list)
        for passage in passages:
            self._pages[page_of(passage.id)].append(passage)
        self.near = cache(self._near)
        self.far = cache(self._far)

    def first(self, page: str) -> Passage | None:
        """Return a page's first passage, which defines it."""
        return next(iter(self._pages.get(page, ())), None)

    def on_page(self, page: str) -> Sequence[Passage]:
        """Return a page's passages, in its order."""
        return self._pages.get(page, ())

    def of_kind(self, page: str, kind: str) -> list[Passage]:
        """Return a page's passages of one kind, in its order."""
        return [passage for passage in self._pages.get(page, ()) if passage.kind == kind]

    def passage(self, page: str, kind: str, needle: str) -> Passage | None:
        """Return the page's first passage of a kind that holds a text, or None."""
        return next((found for found in self.of_kind(page, kind) if needle in found.text), None)

    def linked(
        self, page: str, relation: str, kind: str | None = None, *, back: bool = False
    ) -> list[str]:
        """Return the ids of live entries that a relation leads to from a page.

        Args:
            page: Id of the page.
            relation: The relation's name.
            kind: Kind of the entries; None for any.
            back: Whether to follow the relation backwards, to the page.
        """
        if back:
            ids = self._incoming[relation, page]
        else:
            entry = self.entries.get(page)
            links = entry.links if entry else ()
            ids = [target for found, target in links if found == relation]
        return [
            name for name in ids if name in self.entries and kind in {None, self.entries[name].kind}
        ]

    def kin(self, page: str) -> set[str]:
        """Return a page's parents and children."""
        links = self.entries[page].links
        found = {target for relation, target in links if relation in _KINSHIP}
        for relation in _KINSHIP:
            found.update(self._incoming[relation, page])
        return {name for name in found if name in self.entries}

    def root(self, page: str) -> str:
        """Return the page that is held out together with a page: a sub-technique's technique."""
        return page.partition(".")[0]

    def _near(self, page: str) -> tuple[str, ...]:
        """Return pages of the same kind that share a link or a word of the name, likest first.

        Kin is left out: what holds of a child may hold of its parent.
        """
        entry = self.entries[page]
        likeness: Counter[str] = Counter()
        for relation, target in entry.links:
            self._count(likeness, self._incoming[relation, target], relation in _KINSHIP)
        for relation in ("uses", "mitigates", "tactic", "weakness", "attack pattern"):
            for holder in self._incoming[relation, page][:_CROWD]:
                others = [t for found, t in self.entries[holder].links if found == relation]
                self._count(likeness, others, False)
        for word in dict.fromkeys(normalised(entry.name).split()):
            self._count(likeness, self._by_word[entry.kind, word], False)
        barred = self.kin(page) | {page}
        return tuple(
            name
            for name, _ in likeness.most_common(60)
            if name not in barred and name in self.entries and self.entries[name].kind == entry.kind
        )

    def _count(self, likeness: Counter[str], names: list[str], kin: bool) -> None:
        if len(names) <= _CROWD:
            for name in names:
                likeness[name] += 3 if kin else 1

    def _far(self, kind: str) -> tuple[str, ...]:
        names = [entry.id for entry in self.by_kind[kind]]
        random.Random(kind).shuffle(names)  # the same at every build
        return tuple(names)
