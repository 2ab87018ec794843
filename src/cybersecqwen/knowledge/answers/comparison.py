"""Answers on how entries stand to each other."""

from __future__ import annotations

import re
from collections.abc import Sequence

from cybersecqwen.knowledge.answers.draft import (
    Draft,
    facts,
    head,
    label,
    labels,
    quoted,
    short_label,
    stating,
)
from cybersecqwen.knowledge.query import Query
from cybersecqwen.knowledge.search import PassageIndex

_SAID = {
    "child of": "is a child of",
    "sub-technique of": "is a sub-technique of",
    "uses": "uses",
    "mitigates": "mitigates",
    "attributed to": "is attributed to",
    "targets": "targets",
    "tactic": "serves the tactic",
    "member": "lists",
    "can precede": "can precede",
    "peer of": "is a peer of",
    "can also be": "can also be",
    "requires": "requires",
    "starts with": "starts with",
    "technique": "corresponds to the technique",
    "weakness": "exploits the weakness",
    "attack pattern": "is exploited by the attack pattern",
    "data source": "belongs to the data source",
}
_ASKS_USE = re.compile(
    r"^\W*(?:is|are|does|do|did|has|have|was|were|can)\b.*\b(?:us(?:e|es|ed|ing)|deploy\w*|leverag\w*|"
    r"mitigat\w*|target\w*|exploit\w*)\b",
    re.IGNORECASE,
)
_ASKS_KIN = re.compile(
    r"^\W*(?:and )?(?:is|are) @\w+ (?:an? |the )?(?:\w+ )?"
    r"(?:(child|sub-?\s?technique|kind|type|variant|form|special case|descendant|sub-?type)|"
    r"(parent|ancestor)) of @",
    re.IGNORECASE,
)
_KIN = frozenset({"child of", "sub-technique of"})
_DEPTH = 5
_MOST = 4


def compare(index: PassageIndex, query: Query, subjects: Sequence[str]) -> Draft:
    """Say how entries are related, and what each of them is."""
    subjects = list(subjects)[:_MOST]
    draft = Draft(subjects=subjects)
    for place, first in enumerate(subjects):
        for second in subjects[place + 1 :]:
            _say_relation(draft, index, query, first, second)
    joined = [index.passage(int(place)) for place in index.joining(subjects)]
    joined = [passage for passage in joined if not passage.text.rstrip().endswith(":")]
    draft.add("How", [quoted(passage, 3) for passage in joined[:_MOST]], len(joined))
    for page in subjects:
        lines = [quoted(head(index, page), 3)]
        level = facts(index, page, "Abstraction")
        draft.add(label(index, page), [*lines, *level])
    return draft


def _say_relation(draft: Draft, index: PassageIndex, query: Query, first: str, second: str) -> None:
    for one, other in ((first, second), (second, first)):
        for relation, words in _SAID.items():
            if other in index.linked(one, relation):
                stated = stating(index, one, [other]) or stating(index, other, [one])
                verdict = _kin_verdict(query, below_asked=one == first) if relation in _KIN else ""
                draft.say(
                    f"{verdict}{short_label(index, one)} {words} {short_label(index, other)}.",
                    *(stated or [head(index, one)])[:1],
                )
                return
    for one, other in ((first, second), (second, first)):
        subs = [
            s for s in index.linking(other, "sub-technique of") if s in index.linked(one, "uses")
        ]
        if subs:
            draft.say(
                f"{short_label(index, one)} uses {' and '.join(labels(index, subs))}.",
                *stating(index, one, subs)[:2],
            )
            return
    for one, other in ((first, second), (second, first)):
        way = _ascent(index, one, other)
        if way:
            steps = ", ".join(short_label(index, page) for page in way)
            verdict = _kin_verdict(query, below_asked=one == first)
            draft.say(
                f"{verdict}{short_label(index, one)} is a descendant of "
                f"{short_label(index, other)}, by way of {steps}.",
                *stating(index, one, way[:1])[:1],
            )
            return
    shared = [
        p
        for p in index.linked(first, "child of", "sub-technique of", "tactic")
        if p in index.linked(second, "child of", "sub-technique of", "tactic")
    ]
    pages = f"{short_label(index, first)} and {short_label(index, second)}"
    if shared:
        draft.say(
            f"{pages} are both under {' and '.join(labels(index, shared))}.",
            *stating(index, first, shared)[:1],
            *stating(index, second, shared)[:1],
        )
        return
    if _ASKS_USE.search(query.skeleton):
        draft.say(
            f"No page here says so: {pages} are not linked, neither as user nor as used.",
            head(index, first),
            head(index, second),
        )
        return
    draft.say(
        f"{pages} are separate entries; neither page leads to the other.",
        head(index, first),
        head(index, second),
    )


def _kin_verdict(query: Query, *, below_asked: bool) -> str:
    """Return ``Yes: `` or ``No: `` to whether the first entry is a child or a parent of the second.

    Args:
        query: The question; where it asks no such thing, nothing is returned.
        below_asked: Whether the first that it names lies below the second.
    """
    asked = _ASKS_KIN.search(query.skeleton)
    if asked is None:
        return ""
    return "Yes: " if below_asked is (asked[1] is not None) else "No: "


def _ascent(index: PassageIndex, page: str, ancestor: str) -> list[str]:
    """Return the entries between a page and one of its ancestors; none if it is no ancestor."""
    ways: list[list[str]] = [[page]]
    for _ in range(_DEPTH):
        ways = [
            [*way, up]
            for way in ways
            for up in index.linked(way[-1], "child of", "sub-technique of")
            if up not in way
        ]
        for way in ways:
            if way[-1] == ancestor:
                return way[1:-1]
    return []
