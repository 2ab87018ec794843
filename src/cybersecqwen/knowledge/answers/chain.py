"""Answers along the chain from weakness to attack pattern to technique to mitigation, and back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cybersecqwen.core.records import Passage
from cybersecqwen.knowledge.answers.draft import (
    Draft,
    counted,
    head,
    label,
    labels,
    listing,
    short_label,
    stating,
)
from cybersecqwen.knowledge.query import Query
from cybersecqwen.knowledge.search import PassageIndex

_TARGETS = ("attack pattern", "technique", "weakness", "mitigation")
_HEADINGS = {
    "attack pattern": "Attack patterns",
    "technique": "ATT&CK techniques",
    "weakness": "Weaknesses",
    "mitigation": "Mitigations of these techniques",
}


@dataclass(frozen=True, slots=True)
class _Reached:
    """An entry reached, and the entry that leads to it."""

    page: str
    via: str


def chain(index: PassageIndex, query: Query, page: str) -> Draft | None:
    """Follow the catalogues' own relations from an entry to those of other kinds."""
    found = _reached(index, page)
    near = ""
    wanted = _wanted(index, query, page)
    if not any(found[kind] for kind in wanted):
        near, found = _near(index, page, wanted, found)
    draft = Draft(subjects=[page])
    for kind in wanted:
        _say(draft, index, page, kind, found[kind], near)
    for kind in _TARGETS:
        reached = found[kind]
        items = [_item(index, step, near or page) for step in reached]
        draft.add_list(_HEADINGS[kind], items, _stated(index, reached))
    return draft


def _wanted(index: PassageIndex, query: Query, page: str) -> list[str]:
    kind = index.kind(page)
    named = [k for k in query.wanted if k in _TARGETS and k != kind]
    if named:
        return named
    return {
        "weakness": ["attack pattern", "technique"],
        "technique": ["attack pattern", "weakness"],
    }.get(kind, ["weakness", "technique"])


def _reached(index: PassageIndex, page: str) -> dict[str, list[_Reached]]:
    """Return what an entry leads to, by kind, each once."""
    kind = index.kind(page)
    patterns = {
        "weakness": lambda: [
            *index.linked(page, "attack pattern"),
            *index.linking(page, "weakness"),
        ],
        "technique": lambda: [
            *index.linking(page, "technique"),
            *index.linked(page, "attack pattern"),
        ],
    }.get(kind, lambda: [page])()
    found: dict[str, dict[str, _Reached]] = {target: {} for target in _TARGETS}
    for pattern in dict.fromkeys(patterns):
        if pattern != page:
            found["attack pattern"].setdefault(pattern, _Reached(pattern, page))
        if kind != "technique":
            for technique in index.linked(pattern, "technique"):
                found["technique"].setdefault(technique, _Reached(technique, pattern))
        if kind != "weakness":
            weaknesses = [
                *index.linked(pattern, "weakness"),
                *index.linking(pattern, "attack pattern"),
            ]
            for weakness in weaknesses:
                found["weakness"].setdefault(weakness, _Reached(weakness, pattern))
    for technique in [page] if kind == "technique" else list(found["technique"]):
        for mitigation in index.linking(technique, "mitigates"):
            found["mitigation"].setdefault(mitigation, _Reached(mitigation, technique))
    return {target: list(pages.values()) for target, pages in found.items()}


def _near(
    index: PassageIndex, page: str, wanted: Sequence[str], own: dict[str, list[_Reached]]
) -> tuple[str, dict[str, list[_Reached]]]:
    """Return the nearest relative that leads somewhere, and where; else the entry itself."""
    level = [page]
    for _ in range(3):
        level = [
            up
            for step in level
            for up in [
                *index.linked(step, "child of", "sub-technique of"),
                *index.linking(step, "sub-technique of"),
            ]
        ]
        for relative in dict.fromkeys(level):
            found = _reached(index, relative)
            if relative != page and any(found[kind] for kind in wanted):
                return relative, found
    return "", own


def _say(
    draft: Draft, index: PassageIndex, page: str, kind: str, reached: Sequence[_Reached], near: str
) -> None:
    name = short_label(index, page)
    noun = "ATT&CK technique" if kind == "technique" else kind
    own = f"{name} leads to no {noun} in the catalogues' own relations"
    if near and reached:
        draft.say(
            f"{own}; its relative {short_label(index, near)} leads to "
            f"{counted(len(reached), noun)}: "
            f"{listing([label(index, r.page) for r in reached], 6)}.",
            head(index, page),
            *_stated(index, reached)[:2],
        )
        return
    if not reached:
        draft.say(f"{own}.", head(index, page))
        return
    through = sorted({step.via for step in reached} - {page})
    way = f", by way of {listing(labels(index, through), 3)}" if through else ""
    draft.say(
        f"{name} leads to {counted(len(reached), noun)}{way}: "
        f"{listing([label(index, r.page) for r in reached], 6)}.",
        *_stated(index, reached)[:3],
    )


def _item(index: PassageIndex, step: _Reached, page: str) -> str:
    return label(index, step.page) + (f" via {step.via}" if step.via != page else "")


def _stated(index: PassageIndex, reached: Iterable[_Reached]) -> list[Passage]:
    """Return the passages that state each step, from either side."""
    passages: dict[str, Passage] = {}
    for step in reached:
        for one, other in ((step.via, step.page), (step.page, step.via)):
            stated = stating(index, one, [other])
            if stated:
                passages.setdefault(stated[0].id, stated[0])
                break
    return list(passages.values())
