"""Answers on an entry's place in its catalogue's tree: parents, children, what stands beside it."""

from __future__ import annotations

import re

from cybersecqwen.core.text.clean import capital
from cybersecqwen.knowledge.answers.draft import (
    Draft,
    counted,
    labels,
    listing,
    short_label,
    stated_relations,
    stating,
)
from cybersecqwen.knowledge.query import Query
from cybersecqwen.knowledge.search import PassageIndex

_UPWARDS = ("child of", "sub-technique of")
_ALL_ABOVE = re.compile(r"\bancestors?\b|\bpath\b|\bpillar\b", re.IGNORECASE)
_TWO_ABOVE = re.compile(r"\bgrand-?\s?parents?\b", re.IGNORECASE)


def parents(index: PassageIndex, query: Query, page: str) -> Draft | None:
    """List the parents of an entry; where they are asked for, those above them as well."""
    everything = _ALL_ABOVE.search(query.skeleton) is not None
    if not everything and not _TWO_ABOVE.search(query.skeleton):
        return kin(index, query, page, upwards=True)
    levels = _levels_above(index, page)
    if len(levels) < 2:
        return kin(index, query, page, upwards=True)
    draft = Draft(subjects=[page])
    stated = [p for below in (page, *levels[0]) for p in stating(index, below, levels[1])]
    if everything:
        count = counted(sum(map(len, levels)), "ancestor")
        if index.kind(page) == "weakness":
            count += " over all of the catalogue's views"
        top = listing(labels(index, levels[-1]), 6)
        draft.say(f"{short_label(index, page)} has {count}, up to {top}.", *stated[:2])
        for number, level in enumerate(levels, 1):
            cited = [p for one in level for p in stating(index, page, [one])]
            draft.add_list(f"{counted(number, 'step')} up", labels(index, level), cited or stated)
    else:
        count = counted(len(levels[1]), "grandparent")
        above = listing(labels(index, levels[1]), 6)
        draft.say(f"{short_label(index, page)} has {count}: {above}.", *stated[:2])
    return draft


def _levels_above(index: PassageIndex, page: str) -> list[list[str]]:
    """Return the parents of an entry, the parents of those that are no parents yet, and so on."""
    levels: list[list[str]] = []
    seen, below = {page}, [page]
    while below:
        above = dict.fromkeys(p for one in below for p in index.linked(one, *_UPWARDS))
        below = [p for p in above if p not in seen and not index.is_withdrawn(p)]
        seen.update(below)
        if below:
            levels.append(below)
    return levels


def siblings(index: PassageIndex, query: Query, page: str) -> Draft | None:
    """List what has a parent in common with an entry, and what the catalogue calls its peers."""
    draft = Draft(subjects=[page])
    for parent in index.linked(page, *_UPWARDS):
        beside = [p for p in index.linking(parent, *_UPWARDS) if p != page]
        if beside:
            count = counted(len(beside), "sibling")
            draft.say(
                f"{short_label(index, page)} has {count} under {short_label(index, parent)}: "
                f"{listing(labels(index, beside), 6)}.",
                *stating(index, parent, beside)[:2],
            )
            heading = f"Under {short_label(index, parent)}"
            draft.add_list(heading, labels(index, beside), stating(index, parent, beside)[:2])
    draft.direct += stated_relations(index, page, "Peer of: ")
    return draft if draft.direct else None


def kin(index: PassageIndex, query: Query, page: str, *, upwards: bool) -> Draft | None:
    """List the parents or the children of an entry."""
    if upwards:
        found = index.linked(page, *_UPWARDS)
        noun = "parent"
    else:
        found = index.linking(page, *_UPWARDS) or index.linked(page, "member")
        noun = "child"
    if index.kind(page) == "technique":
        noun = "parent technique" if upwards else "sub-technique"
        if upwards and not found:
            found = index.linking(page, "sub-technique of")
            noun = "sub-technique"
    draft = Draft(subjects=[page])
    if not found:
        # Relations to entries that no catalogue here holds stand in the passages alone.
        heading = "Child of: " if upwards else "Parent of: "
        draft.direct += stated_relations(index, page, heading)
        return draft if draft.direct else None
    some = counted(len(found), noun).replace("childs", "children")
    draft.say(
        f"{short_label(index, page)} has {some}: {listing(labels(index, found), 6)}.",
        *stating(index, page, found)[:2],
    )
    if len(found) > 1:
        draft.add_list(
            capital(some.split(" ", 1)[1]), labels(index, found), stating(index, page, found)
        )
    return draft
