"""Drafts: what can be asked of each page, with options that are wrong for certain.

A wrong option is barred where a link, a list or a page's own words would make it right too, for
the page itself or for its parent or children.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice

from cybersecqwen.core.records import Entry
from cybersecqwen.core.text.clean import normalised
from cybersecqwen.corpus.catalogue_graph import CatalogueGraph
from cybersecqwen.corpus.quiz.kinds import (
    CLAUSES,
    HALVES,
    LINKS,
    NAMED,
    STATEMENTS,
    VALUES,
    LinkKind,
    TextKind,
    ValueKind,
)
from cybersecqwen.corpus.quiz.page_texts import PageTexts, Said, telling
from cybersecqwen.corpus.quiz.rows import DraftQuestion
from cybersecqwen.corpus.quiz.wording import masked

Spelling = Callable[[Entry], str]

_ALIKE = 0.7
"""A wrong sentence that shares this much with what the page says might be right."""

_FEWEST_TELLING = 5
_NAMES = 40
_NEAR_PAGES = 12
_FAR_PAGES = 24
_NEGATED_SHARE = 0.15
_INSTEAD = {
    "technique": "this technique",
    "software": "this software",
    "group": "this group",
    "campaign": "this campaign",
    "mitigation": "this measure",
    "tactic": "this tactic",
    "weakness": "this weakness",
    "attack pattern": "this attack",
}


class Drafting:
    """Makes drafts.

    Args:
        graph: The pages.
        per_page: Drafts of one kind on one page, at most.
        seed: Seed of every random draw.
    """

    def __init__(self, graph: CatalogueGraph, per_page: int, seed: int) -> None:
        self._graph = graph
        self._texts = PageTexts(graph)
        self._per_page = per_page
        self._seed = seed
        self._keys = {name: normalised(_own(e)) for name, e in graph.entries.items()}

    def says(self, page: str, section: str, text: str) -> float:
        """Return the share of a text's telling words that a page's sections of a kind have."""
        return self._texts.says(page, section, text)

    def streams(self) -> Iterator[tuple[str, Iterator[DraftQuestion]]]:
        """Yield, for every kind, its name and its drafts, page by page in a drawn order.

        Drafts are made only as far as they are asked for.
        """
        for link in LINKS:
            yield link.name, self._stream(link.name, link.page, partial(self._link, link))
        for text in STATEMENTS:
            yield text.name, self._stream(text.name, text.page, partial(self._statement, text))
        for text in CLAUSES:
            yield text.name, self._stream(text.name, text.page, partial(self._clause, text))
        for text in HALVES:
            yield text.name, self._stream(text.name, text.page, partial(self._half, text))
        for value in VALUES:
            yield value.name, self._stream(value.name, value.page, partial(self._value, value))
        for page in NAMED:
            yield f"{page} name", self._stream("name", page, self._names)

    def _stream(
        self, name: str, page: str, maker: Callable[[Entry, random.Random], Iterator[DraftQuestion]]
    ) -> Iterator[DraftQuestion]:
        entries = list(self._graph.by_kind[page])
        random.Random(f"{self._seed} {name}").shuffle(entries)
        for entry in entries:
            yield from maker(entry, random.Random(f"{self._seed} {name} {entry.id}"))

    def _link(self, kind: LinkKind, entry: Entry, draw: random.Random) -> Iterator[DraftQuestion]:
        targets = self._graph.linked(entry.id, kind.relation, kind.target, back=kind.back)
        if not targets:
            return
        barred = {entry.id, *targets}
        for page in (entry.id, *self._graph.kin(entry.id)):
            barred.update(self._graph.linked(page, kind.relation, kind.target, back=kind.back))
        for target in tuple(barred):
            barred |= self._graph.kin(target)
        for target in draw.sample(targets, min(self._per_page, len(targets))):
            spell = _spelling(draw)
            others = self._names_of(self._graph.near(target), barred, spell)
            rest = self._names_of(self._some(kind.target, draw), barred, spell)
            if len(targets) >= 4 and draw.random() < _NEGATED_SHARE:
                linked = [self._graph.entries[t] for t in draw.sample(targets, 4)]
                unlinked = [*others[:_NEAR_PAGES], *rest[:_NEAR_PAGES]]
                if unlinked:
                    yield DraftQuestion(
                        kind=f"{kind.name}-not",
                        page=entry.id,
                        section="relation",
                        needle=f"({linked[0].id})",
                        slots=_slots(entry, draw),
                        right=draw.choice(unlinked),
                        near=tuple(spell(other) for other in linked),
                        far=(),
                        negated=True,
                    )
                continue
            found = self._graph.passage(entry.id, kind.section, f"({target})")
            yield DraftQuestion(
                kind=kind.name,
                page=entry.id,
                section=kind.section if found else "relation",
                needle=f"({target})",
                slots=_slots(entry, draw),
                right=spell(self._graph.entries[target]),
                near=others,
                far=rest,
            )

    def _names_of(self, ids: Iterable[str], barred: set[str], spell: Spelling) -> tuple[str, ...]:
        """Return the names of pages that are not barred, nor have a barred page's name."""
        keys = self._keys
        names = {keys[i] for i in barred if i in keys}
        free = (i for i in ids if i not in barred and keys[i] not in names)
        return tuple(spell(self._graph.entries[i]) for i in islice(free, _NAMES))

    def _statement(
        self, kind: TextKind, entry: Entry, draw: random.Random
    ) -> Iterator[DraftQuestion]:
        said = [s for s in self._texts.said(entry.id) if s.section == kind.section]
        barred = {entry.id} | self._graph.kin(entry.id)
        for one in draw.sample(said, min(self._per_page, len(said))):
            text = masked(one.text, _all_names(entry), _INSTEAD.get(entry.kind, "it"))
            held = set(barred)
            if one.about:  # whoever else does it, or is countered by it, is right too
                held |= self._sharing(kind.page, one)
                actor = self._graph.entries.get(one.about)
                if actor is not None and draw.random() < 0.5:
                    text = masked(text, _all_names(actor), _INSTEAD.get(actor.kind, "it"))
            if len(telling(text)) < _FEWEST_TELLING:
                continue
            spell = _spelling(draw)
            yield DraftQuestion(
                kind=kind.name,
                page=entry.id,
                section=one.section,
                needle=one.needle,
                slots={"statement": text, **_slots(entry, draw)},
                right=spell(entry),
                near=self._names_of(self._graph.near(entry.id), held, spell),
                far=self._names_of(self._some(entry.kind, draw), held, spell),
            )

    def _sharing(self, page_kind: str, said: Said) -> set[str]:
        relation = "mitigates" if said.section == "mitigation" else "uses"
        if said.about not in self._graph.entries:
            return set()
        return set(self._graph.linked(said.about, relation, page_kind))

    def _clause(self, kind: TextKind, entry: Entry, draw: random.Random) -> Iterator[DraftQuestion]:
        said = [s for s in self._texts.said(entry.id) if s.section == kind.section]
        for one in draw.sample(said, min(self._per_page, len(said))):
            if len(telling(one.text)) < _FEWEST_TELLING:
                continue
            slots = _slots(entry, draw)
            near_pages = self._graph.near(entry.id)[:_NEAR_PAGES]
            if one.about:
                actor = self._graph.entries.get(one.about)
                if actor is None:
                    continue
                slots["other"] = _own(actor)
            near = self._clauses(near_pages, entry, kind.section, draw, one.about)
            far = self._clauses(self._some(entry.kind, draw), entry, kind.section, draw, one.about)
            yield DraftQuestion(
                kind=kind.name,
                page=entry.id,
                section=one.section,
                needle=one.needle,
                slots=slots,
                right=self._bare(one, entry),
                near=near,
                far=far,
                free=True,
            )

    def _clauses(
        self, pages: Iterable[str], asked: Entry, section: str, draw: random.Random, about: str
    ) -> tuple[str, ...]:
        """Return a sentence of each page that the page asked about does not say."""
        found = []
        for page in pages:
            said = [
                s
                for s in self._texts.said(page)
                if s.section == section and (not about or s.about != about)
            ]
            if not said:
                continue
            one = draw.choice(said)
            text = self._bare(one, self._graph.entries[page])
            if self._texts.says(asked.id, section, text) < _ALIKE:
                found.append(text)
        return tuple(found)

    def _bare(self, said: Said, entry: Entry) -> str:
        names = _all_names(entry)
        if actor := self._graph.entries.get(said.about):
            names = (*names, *_all_names(actor))
        return masked(said.text, names, "it")

    def _some(self, kind: str, draw: random.Random) -> list[str]:
        far = self._graph.far(kind)
        return draw.sample(far, min(_FAR_PAGES, len(far)))

    def _half(self, kind: TextKind, entry: Entry, draw: random.Random) -> Iterator[DraftQuestion]:
        cut = self._texts.halves(entry.id)
        for said, half in draw.sample(cut, min(self._per_page, len(cut))):
            if len(telling(half.first)) < 3 or len(telling(half.second)) < 2:
                continue
            pages = self._graph.near(entry.id)[: 3 * _NEAR_PAGES]
            slots = {**_slots(entry, draw), "first": half.first, "asks": half.asks}
            yield DraftQuestion(
                kind=kind.name,
                page=entry.id,
                section=said.section,
                needle=said.needle,
                slots=slots,
                right=half.second,
                near=self._seconds(pages, entry, half.mark, draw),
                far=self._seconds(self._some(entry.kind, draw), entry, half.mark, draw),
                free=True,
            )

    def _seconds(
        self, pages: Iterable[str], asked: Entry, mark: str, draw: random.Random
    ) -> tuple[str, ...]:
        found = []
        for page in pages:
            cut = [half.second for _, half in self._texts.halves(page) if half.mark == mark]
            if cut:
                text = draw.choice(cut)
                sections = ("description", "mitigation", "consequence", "detection")
                if all(self._texts.says(asked.id, s, text) < _ALIKE for s in sections):
                    found.append(text)
        return tuple(found[:_FAR_PAGES])

    def _value(self, kind: ValueKind, entry: Entry, draw: random.Random) -> Iterator[DraftQuestion]:
        listed = self._texts.values(entry.id).get(kind.field, {})
        pool = self._texts.pool(kind.page, kind.field)
        barred = {normalised(value) for value in listed}
        for page in self._graph.kin(entry.id):
            barred |= {normalised(v) for v in self._texts.values(page).get(kind.field, {})}
        wrong = [value for value in pool if normalised(value) not in barred]
        if not listed or not wrong:
            return
        slots = _slots(entry, draw)
        common = wrong[:12]
        if len(listed) >= 3 and draw.random() < 2 * _NEGATED_SHARE:
            held = draw.sample(sorted(listed), min(4, len(listed)))
            found = listed[held[0]]
            yield DraftQuestion(
                f"{kind.name}-not",
                entry.id,
                found.section,
                found.needle,
                slots,
                draw.choice(common),
                tuple(held),
                (),
                negated=True,
            )
            return
        value = draw.choice(sorted(listed))
        found = listed[value]
        near = tuple(draw.sample(common, len(common)))
        yield DraftQuestion(
            kind.name, entry.id, found.section, found.needle, slots, value, near, tuple(wrong[12:])
        )

    def _names(self, entry: Entry, draw: random.Random) -> Iterator[DraftQuestion]:
        near = [self._graph.entries[i] for i in self._graph.near(entry.id)]
        far = [self._graph.entries[i] for i in self._graph.far(entry.kind) if i != entry.id]
        passage = "alias" if entry.aliases else "relation"
        head = self._graph.first(entry.id)
        if head is not None:
            for name, right, of in (("id-name", entry.name, "name"), ("name-id", entry.id, "id")):
                if draw.random() < 0.25:
                    yield DraftQuestion(
                        name,
                        entry.id,
                        head.kind,
                        "",
                        _slots(entry, draw),
                        right,
                        tuple(getattr(other, of) for other in near),
                        tuple(getattr(other, of) for other in far[:40]),
                    )
        known = {normalised(n) for n in _all_names(entry)}
        for alias in draw.sample(entry.aliases, min(1, len(entry.aliases))):
            if entry.kind not in {"group", "software", "weakness"}:
                continue
            yield DraftQuestion(
                "alias-name",
                entry.id,
                passage,
                alias,
                {**_slots(entry, draw), "alias": alias},
                entry.name,
                tuple(o.name for o in near if normalised(o.name) not in known),
                tuple(o.name for o in far[:40] if normalised(o.name) not in known),
            )
            yield DraftQuestion(
                "name-alias",
                entry.id,
                passage,
                alias,
                _slots(entry, draw),
                alias,
                tuple(a for o in near for a in o.aliases[:1] if normalised(a) not in known),
                tuple(a for o in far[:80] for a in o.aliases[:1] if normalised(a) not in known),
            )


def _own(entry: Entry) -> str:
    """Return a sub-technique's own name, without its parent's."""
    return entry.name.rpartition(": ")[2] if entry.kind == "technique" else entry.name


def _all_names(entry: Entry) -> tuple[str, ...]:
    return (entry.name, _own(entry), *entry.aliases, entry.id)


def _slots(entry: Entry, draw: random.Random) -> dict[str, str]:
    names = [_own(entry), entry.name, f"{_own(entry)} ({entry.id})", entry.id]
    (name,) = draw.choices(names, (5, 2, 3, 1))
    what = "attack technique" if entry.kind == "technique" else entry.kind
    catalogue = {"CWE": "CWE", "CAPEC": "CAPEC"}.get(entry.id.partition("-")[0], "ATT&CK")
    return {
        "name": name,
        "id": entry.id,
        "title": entry.name,
        "what": what,
        "catalogue": f"MITRE {catalogue}",
    }


def _spelling(draw: random.Random) -> Spelling:
    spellings: tuple[Spelling, ...] = (
        _own,
        lambda entry: entry.name,
        lambda entry: f"{entry.id} {_own(entry)}",
        lambda entry: f"{_own(entry)} ({entry.id})",
    )
    return draw.choices(spellings, (6, 2, 1, 1))[0]
