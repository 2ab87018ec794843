"""Knowledge entries as a quiz needs them: both ways of every link, kin, look-alikes, passages."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from functools import cache

from cybersecqwen.core.records import Entry, Passage
from cybersecqwen.core.text.clean import normalised

_KINSHIP = ("child of", "sub-technique of")
_CROWD = 60
"""Pages that share one link with a page, at most, that are looked at for likeness."""


class CatalogueLinks:
    """Entries that are not withdrawn, and the passages they were cut into.

    Args:
        entries: All entries by id.
        passages: Of those entries.
    """

    def __init__(self, entries: Mapping[str, Entry], passages: Iterable[Passage]) -> None:
        self.entries = {name: e for name, e in entries.items() if not e.withdrawn}
        self.by_kind: dict[str, list[Entry]] = defaultdict(list)
        self._incoming: dict[tuple[str, str], list[str]] = defaultdict(list)
        for entry in self.entries.values():
            self.by_kind[entry.kind].append(entry)
            for relation, target in entry.links:
                self._incoming[relation, target].append(entry.id)
        self._by_word: dict[tuple[str, str], list[str]] = defaultdict(list)
        for entry in self.entries.values():
            for word in set(normalised(entry.name).split()):
                self._by_word[entry.kind, word].append(entry.id)
        self._passages: dict[str, list[Passage]] = defaultdict(list)
        for passage in passages:
            self._passages[passage.id.partition("#")[0]].append(passage)
        self.near = cache(self._near)
        self.far = cache(self._far)

    def passage(self, page: str, kind: str, needle: str) -> Passage | None:
        """Return the page's passage of a kind that holds a text, or None."""
        found = (p for p in self._passages[page] if p.kind == kind and needle in p.text)
        return next(found, None)

    def head(self, page: str) -> Passage | None:
        """Return the page's first passage."""
        return next(iter(self._passages[page]), None)

    def linked(self, page: str, relation: str, kind: str, *, back: bool = False) -> list[str]:
        """Return the ids of a kind that a relation leads to from a page, or to it from."""
        if back:
            ids = self._incoming[relation, page]
        else:
            ids = [target for found, target in self.entries[page].links if found == relation]
        return [i for i in ids if i in self.entries and self.entries[i].kind == kind]

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
        for word in set(normalised(entry.name).split()):
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
