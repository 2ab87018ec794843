"""Answers from what a search finds: passages quoted, an entry named by its words."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from cybersecqwen.core.passages import page_of
from cybersecqwen.core.records import AnswerLine, Passage
from cybersecqwen.core.text.clean import words
from cybersecqwen.core.text.terms import stem, terms
from cybersecqwen.knowledge.answers import cve, entry, which
from cybersecqwen.knowledge.answers.draft import Draft, head, quoted
from cybersecqwen.knowledge.intents import Intent
from cybersecqwen.knowledge.query import Query
from cybersecqwen.knowledge.scope import asks_to_set_up
from cybersecqwen.knowledge.search import PassageIndex
from cybersecqwen.knowledge.spelling import is_everyday
from cybersecqwen.knowledge.support import (
    FEW,
    LEAST_OF_FEW,
    LEAST_SUPPORT,
    knows_most,
    speaks_of,
    stands,
)

_PASSAGES = 4
_NEARLY_AS_GOOD = 0.75  # of the best passage's score
_SHORT = 4  # letters of an acronym
_RARE = 15  # passages that a name which heads no page may stand in


def by_search(index: PassageIndex, query: Query) -> Draft | None:
    """Quote the passages that speak of what was asked, if they speak of enough of it."""
    live = [page for page in query.subjects if not index.is_withdrawn(page)]
    if live:
        passages = entry.search_page(index, query, live)
        if stands(index, query, passages):
            return _quoting(query, passages, live)
        if query.intent not in {Intent.SEARCH, Intent.DEFINITION, Intent.WHICH}:
            return None
    if query.intent is Intent.WHICH:
        found = which.found_entry(index, query, sure=False) if knows_most(index, query) else None
        least = LEAST_OF_FEW if len(query.rest) <= FEW else LEAST_SUPPORT
        held = found and speaks_of(index, found.subjects[0], query.rest, least)
        return found if held else None
    return _by_words(index, query, live)


def _by_words(index: PassageIndex, query: Query, live: Sequence[str]) -> Draft | None:
    """Answer a question from anywhere: actors by their pages, passages, a name, a word."""
    protecting = query.intent in {Intent.MITIGATION, Intent.DETECTION}
    if not query.mentions and not protecting and (draft := which.actors(index, query)):
        return draft
    passages = _best(index, query)
    actors = [page for page in live if index.kind(page) in ACTORS]
    if actors:  # what others did answers no question about them
        passages = [p for p in passages if any(_concerns(p, actor) for actor in actors)]
    if stands(index, query, passages):
        first = page_of(passages[0].id)
        if len(query.rest) < FEW and not query.mentions:
            return entry.define(index, query, first)
        return _quoting(query, passages, [first])
    return _by_name(index, query, live)


def _by_name(index: PassageIndex, query: Query, live: Sequence[str]) -> Draft | None:
    """Define what a question names, where it asks for nothing else that its page could say."""
    actors = [page for page in live if index.kind(page) in ACTORS]
    if actors and _ORIGIN.search(query.skeleton):
        return entry.define(index, query, actors[0])  # whose description says what is known
    since = _SINCE.search(query.skeleton) and set(query.rest) <= _BEGAN
    if actors and since and _YEAR.search(head(index, actors[0]).text):
        return entry.define(index, query, actors[0])
    asks = _QUESTION.search(query.skeleton) or asks_to_set_up(query.corrected)
    if live and query.intent is Intent.SEARCH and not asks:
        if _CALLED.search(query.skeleton) and not speaks_of(index, live[0], query.rest):
            return None  # of another name than the one that is known
        return entry.define(index, query, live[0])  # a name and some words about it
    return _named_in_passing(index, query)


_ORIGIN = re.compile(
    r"\bcountr(?:y|ies)\b|\bnation|\bstate[- ]sponsored\b|\bgovernment|\b(?:backed|sponsored) by\b|"
    r"\b(?:is|are|was) @_group (?:an? )?(?:\w+(?:ian|ese|ish|an)|north korean|linked to|from)\b|"
    r"\b(?:do|does) @_group (?:come|originate|operate|work)\b|"
    r"\bwhere (?:is|are|does) @_group\b|@_group from\b",
    re.IGNORECASE,
)
_SINCE = re.compile(
    r"\b(?:when|since when|how long|what year|which year|in what year)\b.{0,20}@_(?:group|software|"
    r"campaign)\b",
    re.IGNORECASE,
)
_BEGAN = frozenset(
    terms(
        """year long first seen start started begin began active appear appeared discovered emerge
        emerged observed operating found spotted around existed"""
    )
)
_YEAR = re.compile(r"\b(?:19|20)\d\d\b")
ACTORS = frozenset({"group", "software", "campaign"})
"""Kinds of entries that do what procedures tell."""


def _concerns(passage: Passage, page: str) -> bool:
    """Whether a passage stands on a page, or on another about it."""
    own, _, mark = passage.id.partition("#")
    return own == page or mark.endswith(f"-{page}")


_QUESTION = re.compile(
    r"\?|\b(?:what|who|whom|whose|when|where|why|how|which|is|are|was|were|do|does|did|can|could|"
    r"should|will|would|has|have)\b|"
    r"^\W*(?:please )?(?:write|create|generate|translate|print|calculate|install|run|build|"
    r"draw|make)\b|"
    # What is no page's to say: prices, people's data, opinions.
    r"\b(?:best|worst|cheapest|price|cost|salary|licen[cs]e|birth|phone|website)\b|"
    r"\bof (?:the )?.*@",
    re.IGNORECASE,
)
_CALLED = re.compile(r"\b(?:called|named|dubbed|known as)\b", re.IGNORECASE)
_DEFINE = re.compile(r"^\W*(?:define|explain|(?:the )?meaning)\b", re.IGNORECASE)
_HOW = re.compile(r"\b(?:which|how|why|when|where)\b", re.IGNORECASE)
_CASES = frozenset({"example", "procedure"})
_TELL = re.compile(r"^\W*(?:tell me about|explain|describe|define)\b", re.IGNORECASE)


def _named_in_passing(index: PassageIndex, query: Query) -> Draft | None:
    """Name the pages that speak of the one rare word that a question is about."""
    alone = len(terms(_TELL.sub("", query.corrected))) <= 1 and not _HOW.search(query.skeleton)
    if len(query.rest) != 1 or not alone or query.mentions or query.intent is not Intent.SEARCH:
        return None
    asks = bool(_QUESTION.search(query.skeleton) or _DEFINE.search(query.skeleton))
    if asks and len(query.rest[0]) <= _SHORT:
        return None  # an acronym, used in passing as known
    if any(is_everyday(word) for word in words(query.corrected) if stem(word) == query.rest[0]):
        return None
    number = index.vocabulary.number(query.rest[0])
    places = [] if number is None else index.passages_holding(number).tolist()
    if not 0 < len(places) <= _RARE:
        return None
    passages = [index.passage(int(place)) for place in places]
    # What a thing is, no page says that speaks of it as of something known: "behind a VLAN".
    if asks and not any(p.kind in _CASES for p in passages):
        return None
    return cve.in_passing(index, passages, query.rest)


def _best(index: PassageIndex, query: Query) -> list[Passage]:
    scores = index.relevance(query)
    best = float(scores.max(initial=0.0))
    if best <= 0:
        return []
    places = np.flatnonzero(scores >= _NEARLY_AS_GOOD * best)
    ranked = places[np.argsort(-scores[places], kind="stable")][:_PASSAGES]
    return [index.passage(int(place)) for place in ranked]


def _quoting(query: Query, passages: Sequence[Passage], subjects: Sequence[str]) -> Draft:
    draft = Draft(subjects=list(subjects))
    draft.direct.append(quoted(passages[0], 2, query.rest))
    more: list[AnswerLine] = [quoted(passage, 2, query.rest) for passage in passages[1:]]
    draft.add("Also", more)
    return draft
