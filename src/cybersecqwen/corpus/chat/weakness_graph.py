"""CWE as answers need it: definitions in short, names, relatives that may be taught."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from random import Random

import yaml

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.records import Entry, Passage
from cybersecqwen.core.taxonomy import Taxonomy
from cybersecqwen.core.text.sentences import sentences
from cybersecqwen.corpus.catalogue_graph import CatalogueGraph

_QUOTED_NAME = re.compile(r"\('([^']+)'\)|\(([A-Z]{3,})\)")
_HEDGED = re.compile(r"does not (\w+) or (?:in|im|un|mis)\w+ly? \w+", re.IGNORECASE)
_TAILS = (
    " when it is sent to a downstream component",
    " from an upstream component",
    ", or the equivalent",
)
_CUTS = (
    ", which ",
    ", such as ",
    "; ",
    ", causing ",
    ", creating ",
    ", e.g. ",
    " (e.g",
    " such as ",
)
_LONGEST_BRIEF = 170


class WeaknessGraph(CatalogueGraph):
    """A catalogue graph with CWE's taxonomy and definitions in short.

    Args:
        entries: All entries by id.
        passages: What they were cut into, with citation ids.
        taxonomy: CWE's graph.

    Raises:
        InputError: There is no passage of any weakness.
    """

    def __init__(
        self, entries: Mapping[str, Entry], passages: Iterable[Passage], taxonomy: Taxonomy
    ) -> None:
        super().__init__(entries, passages)
        self.taxonomy = taxonomy
        if not any(name.startswith("CWE-") for name in self._pages):
            raise InputError(
                "the knowledge sources hold no CWE entry: answers have nothing to cite"
            )
        shipped = files("cybersecqwen.corpus.chat").joinpath("weakness_briefs.yaml")
        self._briefs: dict[str, list[str]] = yaml.safe_load(shipped.read_text("utf-8"))
        self._children: dict[str, list[str]] = defaultdict(list)
        for weakness in taxonomy:
            for parent in weakness.parents:
                self._children[parent].append(weakness.id)
        self.relatives = cache(self._relatives)

    def short_name(self, cwe: str) -> str:
        """Return the name that people use: what MITRE's gives in quotes, if it does."""
        name = self.taxonomy.name(cwe)
        match = _QUOTED_NAME.search(name)
        return (match[1] or name.split(" (")[0]) if match else name

    def brief(self, cwe: str, rng: Random) -> str:
        """Return a clause that defines a weakness: ``the product writes past the end ...``."""
        if own := self._briefs.get(cwe):
            return f"the product {rng.choice(own)}"
        first = self.first(cwe)
        return _shortened(first.text) if first else ""

    def telling_text(self, cwe: str) -> str:
        """Return the text that tells a weakness: names, other names, definition, kin's names."""
        entry, first = self.entries[cwe], self.first(cwe)
        parts = [entry.name, *entry.aliases, *self._briefs.get(cwe, ())]
        parts += [sentences(first.text)[0]] if first else []
        parts += [
            self.taxonomy.name(name)
            for name, relation in self.relatives(cwe)
            if relation == "child"
        ]
        parts += [self.entries[name].name for name in self.linked(cwe, "attack pattern")]
        return " ".join(parts)

    def named_in(self, text: str, cwe: str) -> tuple[int, int] | None:
        """Return where a text spells out one of a weakness's names, the longest first, or None."""
        entry = self.entries.get(cwe)
        names = {self.short_name(cwe), *(entry.aliases if entry else ())}
        for name in sorted(names, key=lambda name: (-len(name), name)):
            parts = map(re.escape, re.findall(r"\w+", name))
            pattern = r"[\s-]+".join(parts)
            # A short name counts only as it is spelt: CSS is not css.
            flags = re.IGNORECASE if len(name) > 4 else 0
            if pattern and (match := re.search(rf"\b{pattern}\b", text, flags)):
                return match.span()
        return None

    def _relatives(self, cwe: str) -> tuple[tuple[str, str], ...]:
        """Return pairs of a relative that may be taught and what it is to the weakness."""
        entry = self.taxonomy.get(cwe)
        parents = entry.parents if entry else ()
        found = [(parent, "parent") for parent in parents]
        found += [(child, "child") for child in self._children[cwe]]
        found += [
            (sibling, "sibling")
            for parent in parents
            for sibling in self._children[parent]
            if sibling != cwe
        ]
        distinct: dict[str, str] = {}
        for name, relation in found:
            if self.taxonomy.is_mappable(name):
                distinct.setdefault(name, relation)
        return tuple(distinct.items())


class ConfusionNeighbours:
    """Which weaknesses are taken for each other.

    Args:
        pairs: Main labels that two labellers gave the same record.
        counts: Records per label.
        graph: Relations between weaknesses.
    """

    def __init__(
        self, pairs: Iterable[tuple[str, str]], counts: Mapping[str, int], graph: WeaknessGraph
    ) -> None:
        self._mixed: dict[str, Counter[str]] = defaultdict(Counter)
        for one, other in pairs:
            if one != other:
                self._mixed[one][other] += 1
                self._mixed[other][one] += 1
        self._counts = counts
        self._graph = graph
        self.near = cache(self._near)

    def _near(self, cwe: str) -> tuple[tuple[str, str], ...]:
        """Return pairs of a weakness and its relation, the likeliest to be mixed up first.

        Relations are ``parent``, ``child``, ``sibling`` and ``other``.
        """
        kin = dict(self._graph.relatives(cwe))
        mixed = self._mixed[cwe]
        names = {name for name in {*kin, *mixed} if self._counts.get(name, 0) > 0}
        names |= {name for name in kin if kin[name] != "sibling"}
        ranked = sorted(names, key=lambda n: (-mixed[n], -self._counts.get(n, 0), n))
        return tuple((name, kin.get(name, "other")) for name in ranked)


def _shortened(text: str) -> str:
    """Return a definition's first sentence as a clause, without what does not define."""
    clause = sentences(text)[0].rstrip(".")
    clause = _HEDGED.sub(r"does not properly \1", clause)
    for tail in _TAILS:
        clause = clause.replace(tail, "")
    for cut in _CUTS:
        if len(clause) > _LONGEST_BRIEF:
            clause = clause.split(cut)[0]
    head, _, rest = clause.partition(" ")
    return f"{head.lower() if head.istitle() else head} {rest}"
