"""Answers from one page: what it is, and its parts as they are written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from cybersecqwen.core.records import AnswerLine, Passage
from cybersecqwen.core.text.clean import words
from cybersecqwen.knowledge.answers.draft import (
    Draft,
    best_first,
    counted,
    facts,
    first_of,
    head,
    label,
    labels,
    listing,
    quoted,
    short_label,
    stating,
)
from cybersecqwen.knowledge.answers.relations import PLATFORMS, actor_summary
from cybersecqwen.knowledge.intents import PASSAGE_KINDS, Intent
from cybersecqwen.knowledge.query import Query
from cybersecqwen.knowledge.search import PassageIndex

_SHOWN = 8  # passages of one kind
_FACTS = {
    Intent.PLATFORM: ("Platforms",),
    Intent.SEVERITY: ("Typical severity",),
    Intent.LIKELIHOOD: ("Likelihood of attack", "Likelihood of exploit"),
    Intent.ABSTRACTION: ("Abstraction",),
    Intent.INTRODUCTION: ("Introduced in",),
    Intent.TARGET: ("Sectors",),
}
_PART_NAMES = {Intent.EXAMPLE: "example", Intent.FLOW: "execution flow", Intent.TARGET: "sector"}
_OBSERVED = re.compile(r"CVE-\d{4}-\d+: ")
_ASKS_CVES = re.compile(r"\bcves?\b|\breal[- ]world\b|\bin the wild\b|\bobserved\b", re.IGNORECASE)
_YES_OR_NO = re.compile(r"^\W*(?:is|are|does|do|can|could|will)\b", re.IGNORECASE)
_ONLY = re.compile(r"\bonly\b", re.IGNORECASE)
_SUBKINDS = {
    "malware": re.compile(r"\bmalware\b|\bmalicious\b|\bvirus\b", re.IGNORECASE),
    "tool": re.compile(r"\btools?\b|\blegit\w*|\bprograms?\b", re.IGNORECASE),
}
_EXISTENCE = re.compile(
    r"\b(?:is|are) there\b|\bdoes .{1,60} have\b|\bany\b|\bhas @\w+", re.IGNORECASE
)


def define(index: PassageIndex, query: Query, page: str, others: Sequence[str] = ()) -> Draft:
    """Say what a page is about."""
    draft = Draft(subjects=[page])
    first = head(index, page)
    if index.is_withdrawn(page):
        draft.quote(first)
        for other in index.replacements(page):
            if index.has_page(other):
                draft.add(label(index, other), [quoted(head(index, other))])
        return draft
    draft.quote(first, lead=f"{label(index, page)}, {_what_it_is(index, page)}:")
    rest = quoted(first, 6).text.removeprefix(draft.direct[-1].text).strip()
    if rest:
        draft.add("More", [AnswerLine(rest, (first.id,), quoted=True)])
    aliases = index.passages_of(page, "alias")
    if aliases:
        names = aliases[0].text.partition("also known as: ")[2].rstrip(".").split("; ")
        draft.add_list("Also known as", names, aliases[:1])
    _add_place(draft, index, page)
    draft.add_list(
        "See also",
        labels(index, [o for o in others if o != page]),
        (head(index, o) for o in others if o != page),
    )
    return draft


def _what_it_is(index: PassageIndex, page: str) -> str:
    """Return in words what a page is about: ``a base weakness``, ``a sub-technique of ...``."""
    kind = index.kind(page)
    parents = index.linked(page, "sub-technique of")
    if parents:
        return f"a sub-technique of {' and '.join(labels(index, parents))}"
    if subkind := index.subkind(page):
        return _said_subkind(subkind)
    abstraction = facts(index, page, "Abstraction")
    if abstraction:
        level = abstraction[0].text.partition(": ")[2].rstrip(".").lower()
        return f"{_article(level)} {level} {kind}"
    return f"{_article(kind)} {kind}"


def _said_subkind(subkind: str) -> str:
    return subkind if subkind == "malware" else f"{_article(subkind)} {subkind}"


def _which_subkind(index: PassageIndex, query: Query, page: str) -> Draft:
    """Say whether software is malware or a tool, as ATT&CK tells them apart."""
    subkind = index.subkind(page)
    asked = [kind for kind, pattern in _SUBKINDS.items() if pattern.search(query.skeleton)]
    verdict = ""
    if _YES_OR_NO.search(query.skeleton) and len(asked) == 1:
        verdict = "Yes: " if asked == [subkind] else "No: "
    draft = Draft(subjects=[page])
    first = head(index, page)
    draft.say(f"{verdict}{label(index, page)} is {_said_subkind(subkind)} in ATT&CK.", first)
    draft.quote(first)
    return draft


def _article(word: str) -> str:
    if word == "software":
        return "a piece of"
    return "an" if word[:1] in "aeiou" else "a"


def _add_place(draft: Draft, index: PassageIndex, page: str) -> None:
    """Add where an entry stands among the others."""
    kind = index.kind(page)
    if kind == "technique":
        draft.add("Platforms", facts(index, page, "Platforms"))
    if kind in {"group", "software", "campaign"}:
        actor_summary(draft, index, page)
        return
    for heading, pages in (
        ("Tactics", index.linked(page, "tactic")),
        ("Child of", index.linked(page, "child of")),
        ("Sub-techniques", index.linking(page, "sub-technique of")),
        ("Attack patterns", index.linked(page, "attack pattern")),
        ("Weaknesses", index.linked(page, "weakness")),
        ("Techniques mitigated", index.linked(page, "mitigates")),
    ):
        shown = pages[:12]
        draft.add_list(heading, labels(index, shown), stating(index, page, shown), len(pages))


def part(index: PassageIndex, query: Query, page: str) -> Draft | None:
    """Quote the part of a page that is asked for; None where it has none."""
    if query.intent is Intent.ABSTRACTION and index.subkind(page):
        return _which_subkind(index, query, page)
    stated = facts(index, page, *_FACTS.get(query.intent, ()))
    if query.intent is Intent.SEVERITY and not stated:
        # CWE rates no weakness; what it leads to says how bad it is.
        query = replace(query, intent=Intent.CONSEQUENCE)
    draft = Draft(subjects=[page])
    found = facts(index, page, *_FACTS.get(query.intent, ()))
    passages = _ranked(index, query, page, PASSAGE_KINDS.get(query.intent, ()))
    if query.intent is Intent.PLATFORM and index.kind(page) in {"group", "campaign"}:
        return None
    if found:
        verdict = _platform_verdict(query, found[0].text) if query.intent is Intent.PLATFORM else ""
        draft.direct.append(
            AnswerLine(f"{verdict}{short_label(index, page)}: {found[0].text}", found[0].citations)
        )
        draft.add("Details", [quoted(passage) for passage in passages[:_SHOWN]], len(passages))
        return draft
    if not passages:
        return None
    if query.intent is Intent.ALIAS:
        for passage in passages[:2]:
            draft.quote(passage, 3)
        return draft
    noun = query.intent.value
    several = counted(len(passages), noun)
    lead = f"{label(index, page)} has {several} on its page{first_of(len(passages))}:"
    draft.quote(passages[0], 3, lead=lead)
    draft.add(
        noun.capitalize() + "s", [quoted(p, 3) for p in passages[1:_SHOWN]], len(passages) - 1
    )
    return draft


def _platform_verdict(query: Query, stated: str) -> str:
    """Return ``Yes: `` or ``No: `` to whether platforms are among those stated."""
    asked = PLATFORMS & set(words(query.corrected))
    known = PLATFORMS & set(words(stated))
    if not asked or not known or not _YES_OR_NO.search(query.skeleton):
        return ""
    within = known == asked if _ONLY.search(query.skeleton) else asked <= known
    return "Yes: " if within else "No: "


def _ranked(index: PassageIndex, query: Query, page: str, kinds: Sequence[str]) -> list[Passage]:
    """Return a page's passages of some kinds, those first that speak of what else is asked."""
    passages = index.passages_of(page, *kinds) if kinds else []
    if query.intent is Intent.EXAMPLE and _ASKS_CVES.search(query.corrected):
        passages = [p for p in passages if _OBSERVED.match(p.text)] or passages
    wanted = () if query.intent is Intent.DEFINITION else query.rest
    return best_first(index, page, passages, wanted)


def without_part(index: PassageIndex, query: Query, page: str) -> Draft:
    """Say that a page has no part of a kind: an answer only where that is what is asked."""
    draft = Draft(subjects=[page], found=_EXISTENCE.search(query.skeleton) is not None)
    noun = _PART_NAMES.get(query.intent, query.intent.value)
    draft.say(f"{label(index, page)} gives no {noun}.", head(index, page))
    return draft


def search_page(
    index: PassageIndex, query: Query, pages: Sequence[str], most: int = 4
) -> list[Passage]:
    """Return the passages of some pages that fit a question best."""
    scores = index.relevance(query)
    places = [int(place) for page in pages for place in index.places(page)]
    joined = index.joining(pages).tolist()
    ranked = sorted(joined or places, key=lambda place: -float(scores[place]))
    return [index.passage(place) for place in ranked[:most]]


__all__ = ["define", "listing", "part", "search_page", "without_part"]
