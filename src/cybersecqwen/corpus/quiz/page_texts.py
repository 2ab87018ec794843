"""What pages say, sentence by sentence, and the values that they list."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

from cybersecqwen.core.records import Entry, Section
from cybersecqwen.core.text.clean import clean, words
from cybersecqwen.corpus.catalogue_graph import CatalogueGraph
from cybersecqwen.corpus.quiz.wording import Halves, bare_sentences, halves

NEEDLE = 60
"""Characters by which a sentence is found in the passage that holds it."""

_FEWEST_WORDS = 6
_MOST_CHARACTERS = 300
_ABOUT = re.compile(r"^.{2,80}? \([A-Z]+\d+\): ")
_HEADING = re.compile(r"^[A-Z][\w /;,&-]{2,70}: ")
_STRATEGY = re.compile(r"^[^.]{5,120}\. ")
_DATA = re.compile(r" ?Data components: (?P<names>.+)\.$")
_FACT = re.compile(r"(?P<field>[A-Z][a-z]+(?: [a-z]+)*): (?P<values>.+?)\.(?= [A-Z][a-z ]+:|$)")
_VAGUE = ("Not ", "Other", "Varies", "Unknown", "None")
_COMMON_WORDS = """
adversaries adversary attackers attacker product software system may can use using used this that
with from which when data code have has been will more such other could into their its the and for
not are
"""
_COMMON = frozenset(_COMMON_WORDS.split())


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence of a page.

    Attributes:
        section: Kind of the section.
        about: Whom the section concerns besides the page.
        text: The sentence, without headings.
        needle: What finds the passage.
    """

    section: str
    about: str
    text: str
    needle: str


@dataclass(frozen=True, slots=True)
class ListedValue:
    """A value that a page lists.

    Attributes:
        section: Kind of the section.
        needle: What finds the passage.
    """

    section: str
    needle: str


class PageTexts:
    """Sentences and values of a graph's pages, read once.

    Args:
        graph: The pages.
    """

    def __init__(self, graph: CatalogueGraph) -> None:
        self._graph = graph
        self.said = cache(self._said)
        self.halves = cache(self._halves)
        self.values = cache(self._values)
        self.pool = cache(self._pool)
        self._words = cache(self._section_words)

    def says(self, page: str, section: str, text: str) -> float:
        """Return the share of a text's telling words that a page's sections of a kind have."""
        wanted = telling(text)
        return len(wanted & self._words(page, section)) / len(wanted) if wanted else 1.0

    def _section_words(self, page: str, section: str) -> set[str]:
        return {w for s in self.said(page) if s.section == section for w in telling(s.text)}

    def _said(self, page: str) -> tuple[Said, ...]:
        entry = self._graph.entries[page]
        return tuple(
            replace(said, about=said.about if said.about in self._graph.entries else "")
            for section in entry.sections
            for said in _sentences(entry, section)
        )

    def _halves(self, page: str) -> tuple[tuple[Said, Halves], ...]:
        found = ((said, halves(said.text)) for said in self.said(page) if not said.about)
        return tuple((said, cut) for said, cut in found if cut)

    def _values(self, page: str) -> dict[str, dict[str, ListedValue]]:
        found: dict[str, dict[str, ListedValue]] = defaultdict(dict)
        entry = self._graph.entries[page]
        for section in entry.sections:
            for field, value in _listed(entry.kind, section):
                if value.startswith(_VAGUE):
                    continue
                found[field].setdefault(value, ListedValue(section.kind, value))
        return dict(found)

    def _pool(self, kind: str, field: str) -> tuple[str, ...]:
        """Return every value of a field on pages of a kind, commonest first."""
        counts: dict[str, int] = defaultdict(int)
        for entry in self._graph.by_kind[kind]:
            for value in self.values(entry.id).get(field, {}):
                counts[value] += 1
        return tuple(sorted(counts, key=lambda value: (-counts[value], value)))


def telling(text: str) -> set[str]:
    """Return the words of a text that say something."""
    return {word for word in words(text) if len(word) > 3 and word not in _COMMON}


def _sentences(entry: Entry, section: Section) -> Iterator[Said]:
    if section.kind in {"facts", "mapping", "note", "flow"}:
        return
    text = _ABOUT.sub("", section.text) if section.about else section.text
    if entry.kind == "technique" and section.kind == "detection":
        text = _DATA.sub("", _STRATEGY.sub("", text))
    elif section.kind == "consequence":
        # Scopes and impacts, then what is to be said of them.
        text = _STRATEGY.sub("", text) if entry.kind == "weakness" and ". " in text else ""
    elif section.kind != "description" and not section.about:
        text = _HEADING.sub("", text)
    for sentence in bare_sentences(text):
        if len(sentence.split()) >= _FEWEST_WORDS and len(sentence) <= _MOST_CHARACTERS:
            yield Said(section.kind, section.about, sentence, sentence[:NEEDLE])


def _listed(kind: str, section: Section) -> Iterator[tuple[str, str]]:
    """Yield the fields and values that a section lists."""
    if section.kind == "facts":
        for match in _FACT.finditer(section.text):
            yield from ((match["field"], value) for value in match["values"].split(", "))
    elif section.kind == "detection" and kind == "technique":
        if data := _DATA.search(section.text):
            yield from (("Data components", name) for name in data["names"].split(", "))
    elif section.kind == "detection":
        if heading := _HEADING.match(section.text):
            yield "Detection methods", heading[0].rstrip(": ")
    elif section.kind == "consequence":
        yield from _effects(section.text)
    elif section.kind == "skill":
        for paragraph in section.text.split("\n\n"):
            yield "Skills", paragraph.partition(":")[0]


def _effects(text: str) -> Iterator[tuple[str, str]]:
    """Yield what a consequence touches and what it brings about."""
    for paragraph in text.split("\n\n"):
        scopes, mark, impacts = clean(paragraph).partition(": ")
        if mark:
            yield from (("Scopes", scope) for scope in scopes.split(", "))
            listed = impacts.partition(". ")[0].rstrip(".")
            yield from (("Impacts", impact) for impact in listed.split(", "))
