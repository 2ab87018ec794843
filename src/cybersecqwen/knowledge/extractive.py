"""Answers without a language model: the question's intent decides what is composed or quoted."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from cybersecqwen.core.interfaces import AnswerHelpers
from cybersecqwen.core.passages import page_of
from cybersecqwen.core.records import Answer, AnswerLine, CwePrediction, Passage
from cybersecqwen.core.text.clean import words
from cybersecqwen.core.text.terms import stem, terms
from cybersecqwen.knowledge.answers import (
    chain,
    comparison,
    cve,
    cvss,
    entry,
    glossary,
    mapping,
    protection,
    relations,
    which,
)
from cybersecqwen.knowledge.answers.draft import NOT_FOUND, Draft, label, quoted
from cybersecqwen.knowledge.concepts import asked_concepts
from cybersecqwen.knowledge.intents import Intent
from cybersecqwen.knowledge.query import Query
from cybersecqwen.knowledge.scope import asks_elsewhere, asks_of_scores, asks_to_set_up
from cybersecqwen.knowledge.search import PassageIndex
from cybersecqwen.knowledge.spelling import is_everyday
from cybersecqwen.knowledge.support import (
    FEW,
    LEAST_OF_FEW,
    LEAST_SUPPORT,
    knows_most,
    sets_beside_unknown,
    speaks_of,
    stands,
)

HELP = (
    "Ask about a weakness (CWE), an attack pattern (CAPEC), or an ATT&CK technique, tactic, group, "
    "software or mitigation: what it is, who uses it, how to mitigate or detect it."
)

_LEAST_LIKELY = 0.17
"""Probability of a weakness below which its name says nothing: texts that mean nothing get less."""

_DESCRIBED = 4  # terms beside names and intent
_PASSAGES = 4
_NEARLY_AS_GOOD = 0.75  # of the best passage's score
_NEAREST = 3
_SHORT = 4  # letters of an acronym
_RARE = 15  # passages that a name which heads no page may stand in


def answer(index: PassageIndex, query: Query, helpers: AnswerHelpers) -> Answer:
    """Answer a question: the direct answer first, then details, each with its passages."""
    if query.intent is Intent.SMALL_TALK:
        return Answer(f"{NOT_FOUND} {HELP}", found=False, intent=query.intent.value)
    described = helpers.describes(query.text)
    if not query.cves and (explained := _explained(index, query, described)):
        return explained
    elsewhere = asks_elsewhere(query) or sets_beside_unknown(index, query)
    if query.unknown or (elsewhere and not described):
        lacks = f" It has no page {', '.join(query.unknown)}." if query.unknown else ""
        return _refused(index, query, f"{NOT_FOUND}{lacks}")
    if query.cves and not described:
        return _of_cves(index, query, helpers)
    if helpers.predict and _describes(query, helpers):
        return _predicted(index, query, helpers.predict(_description(query)), helpers.classifier)
    return _from_pages(index, _without_own_words(index, query))


def _explained(index: PassageIndex, query: Query, described: bool) -> Answer | None:
    """Say what a CVSS vector or value, or a word of the glossary means; None for others."""
    scored = None if described else cvss.about(query.text)
    if scored is not None and not scored.found:
        return _refused(index, replace(query, rest=()), f"{NOT_FOUND} {scored.direct[0].text}")
    if scored is not None:
        return scored.finished(index, replace(query, intent=Intent.DEFINITION))
    asked = [] if query.subjects else asked_concepts(query.corrected)
    if not asked:
        return None
    return glossary.define_concepts(index, asked).finished(index, _defining(query))


def _predicted(
    index: PassageIndex, query: Query, prediction: CwePrediction, name: Callable[[], str]
) -> Answer:
    """Name the weakness that a classifier finds; none where any other is as likely."""
    if prediction.confidence < _LEAST_LIKELY:
        return _refused(index, query)
    draft = which.predicted_entry(index, query, prediction, name())
    return replace(draft.finished(index, query), prediction=prediction)


def _of_cves(index: PassageIndex, query: Query, helpers: AnswerHelpers) -> Answer:
    """Say what is known of CVE ids; of scores and patches only where a record is held."""
    found = cve.about(index, query, helpers.look_up)
    if found is None:
        return _refused(index, query, _no_record(query))
    if not found.recorded and asks_of_scores(query.corrected):
        text = f"{NOT_FOUND} No record of {', '.join(query.cves)} is held here."
        near = tuple(dict.fromkeys(found.subjects))[:_NEAREST]
        return replace(
            _refused(index, query, f"{text} Pages that name it: {', '.join(near)}."), nearest=near
        )
    return found.finished(index, query)


def _defining(query: Query) -> Query:
    several = query.intent is Intent.DIFFERENCE
    return query if several else replace(query, intent=Intent.DEFINITION)


def _from_pages(index: PassageIndex, query: Query) -> Answer:
    """Compose an answer from the pages named, or quote the passages that a search finds."""
    # Who says so much besides a name and what is asked of it describes a case of their own.
    described = len(query.rest) >= _DESCRIBED and query.intent is not Intent.WHICH
    composed = _by_search(index, query) if described else None
    if composed is None:
        composed, settled = _composed(index, query)
        if composed is None and not settled and not described:
            composed = _by_search(index, query)
    if composed is None:
        return _refused(index, query)
    if not composed.found:
        return _refused(index, query, f"{NOT_FOUND} {composed.direct[0].text}")
    return composed.finished(index, query)


def _without_own_words(index: PassageIndex, query: Query) -> Query:
    """Return a question whose rest has no words that its subjects' own titles hold."""
    own = set(terms(" ".join(index.title(page) for page in query.subjects)))
    return replace(query, rest=tuple(term for term in query.rest if term not in own))


def _describes(query: Query, helpers: AnswerHelpers) -> bool:
    """Whether the classifier should read a question: no page is named so, or it is a record."""
    if "weakness" not in query.wanted and set(query.wanted) & {"technique", "attack pattern"}:
        return False
    if helpers.describes(query.text):
        return True
    if query.intent is not Intent.WHICH:
        return False
    named = any(page.startswith("CWE-") for mention in query.mentions for page in mention.pages)
    return not named and len(query.rest) >= 2


_QUESTION_PART = re.compile(
    r"(?:^|(?<=[.,;?!]))[^.,;?!]*\b(?:cwe|weakness|cwes)\b[^.,;?!]*(?:[.,;?!]|$)", re.IGNORECASE
)


def _description(query: Query) -> str:
    """Return a question without the clause that asks, where something else is left."""
    rest = _QUESTION_PART.sub(" ", query.text).strip(" -")
    return rest if len(rest.split()) >= 4 else query.text


def _no_record(query: Query) -> str:
    return f"{NOT_FOUND} No record of {', '.join(query.cves)} is held here, and no page names it."


def _refused(index: PassageIndex, query: Query, text: str = "") -> Answer:
    """Say that nothing answers, and offer the pages that are nearest."""
    nearest = list(query.subjects)
    if query.rest and not nearest:
        known = [term for term in query.rest if term in index.vocabulary]
        scores = index.term_scores(known) if known else np.zeros(len(index), np.float32)
        nearest = [p for p in index.best_pages(scores, _NEAREST) if not index.is_withdrawn(p)]
    text = text or NOT_FOUND
    if nearest and not any(page in text for page in nearest):
        text += f" Nearest pages: {'; '.join(label(index, page) for page in nearest)}."
    corrections = tuple(f"{c.typed} read as {c.read}" for c in query.corrections)
    return Answer(
        text,
        found=False,
        nearest=tuple(nearest),
        corrections=corrections,
        subjects=query.subjects,
        intent=query.intent.value,
    )


_Composer = Callable[[PassageIndex, Query, str], Draft | None]

_OF_ONE: dict[Intent, _Composer] = {
    Intent.MAPPING: mapping.map_usage,
    Intent.MITIGATION: protection.mitigate,
    Intent.MITIGATED: protection.mitigated,
    Intent.DETECTION: protection.detect,
    Intent.TECHNIQUES: relations.techniques,
    Intent.MEMBERS: relations.members,
    Intent.CHAIN: chain.chain,
    Intent.SEQUENCE: relations.sequence,
    Intent.TARGET: relations.targets,
    Intent.SUBTECHNIQUES: lambda i, q, p: (
        relations.kin(i, q, p, upwards=False) or relations.kin(i, q, p, upwards=True)
    ),
    Intent.PARENT: lambda i, q, p: relations.kin(i, q, p, upwards=True),
    Intent.CHILD: lambda i, q, p: relations.kin(i, q, p, upwards=False),
}
_OF_ALL: dict[Intent, Callable[[PassageIndex, Query, Sequence[str]], Draft | None]] = {
    Intent.DIFFERENCE: comparison.compare,
    Intent.REPLACED: mapping.replaced,
    Intent.USERS: relations.users,
    Intent.USES: relations.uses,
    Intent.TACTIC: relations.tactics_of,
    Intent.MEMBERSHIP: relations.membership,
    Intent.ATTRIBUTION: relations.attribution,
}


def _composed(index: PassageIndex, query: Query) -> tuple[Draft | None, bool]:
    """Compose the answer that the intent asks for; and whether there is no use in searching."""
    subjects = query.subjects
    if query.intent is Intent.WHICH:
        named = which.named_entry(index, query)
        chained = [p for p in subjects if index.kind(p) in _CHAINED and not index.is_withdrawn(p)]
        if named is None and chained and not query.rest:
            return chain.chain(index, query, chained[0]), False
        return named, False
    if not subjects:
        listed = query.intent is Intent.TACTIC
        return (relations.all_tactics(index, query) if listed else None), False
    live = [page for page in subjects if not index.is_withdrawn(page)]
    if not live and query.intent is not Intent.DIFFERENCE:
        return mapping.replaced(index, query, subjects), True
    if query.intent in _OF_ALL:
        pages = subjects if query.intent in {Intent.REPLACED, Intent.DIFFERENCE} else live
        return _or_without(index, query, _OF_ALL[query.intent](index, query, pages), live)
    return _of_each(index, query, live)


def _of_each(index: PassageIndex, query: Query, live: Sequence[str]) -> tuple[Draft | None, bool]:
    """Compose the answer to a question that asks the same of each entry it names."""
    if query.intent in {Intent.DEFINITION, Intent.SEARCH}:
        plain = query.intent is Intent.DEFINITION and not query.rest
        by_id = {mention.page for mention in query.mentions if mention.is_id}
        first = sorted(live, key=lambda page: page not in by_id)  # an id leaves no doubt
        return (_definitions(index, query, first) if plain else None), plain
    page = _subject(index, query, live)
    listed = query.intent is Intent.MEMBERS and _LISTS.search(query.skeleton)
    own = [term for term in query.rest if term not in _PLATFORM_TERMS]
    if query.intent in _BY_NAME_ALONE and not listed and not speaks_of(index, page, own):
        return None, False
    compose = _OF_ONE.get(query.intent, entry.part)
    draft = compose(index, query, page)
    if draft is None and query.intent in _DEFINED_INSTEAD:
        return entry.define(index, query, page), True
    for other in live:
        if other != page and index.kind(other) == index.kind(page):
            draft = _joined(draft, compose(index, query, other))
    return _or_without(index, query, draft, [page])


_LISTS = re.compile(r"\b(?:list|name|show|enumerate|members?|contain\w*|in|of)\b", re.IGNORECASE)
# What is asked by naming the entry, so that other words must fit its page.
_PLATFORM_TERMS = frozenset(
    terms("linux windows macos android ios containers saas iaas esxi not without except excluding")
)
_BY_NAME_ALONE = frozenset({Intent.MEMBERS, Intent.TECHNIQUES, Intent.MITIGATED})


_CHAINED = frozenset({"weakness", "attack pattern", "technique"})
_DEFINED_INSTEAD = frozenset({Intent.MEMBERS, Intent.TARGET, Intent.ABSTRACTION})
"""What a page's description says where it has no list of it."""


def _joined(first: Draft | None, second: Draft | None) -> Draft | None:
    if first is None or second is None:
        return first or second
    return Draft(
        first.direct + second.direct,
        first.sections + second.sections,
        first.subjects + second.subjects,
    )


def _or_without(
    index: PassageIndex, query: Query, draft: Draft | None, pages: Sequence[str]
) -> tuple[Draft | None, bool]:
    """Return the draft; where there is none, the remark that the page has no such part."""
    if draft is not None:
        return draft, True
    if query.rest or not pages:
        return None, False
    return entry.without_part(index, query, pages[0]), True


def _subject(index: PassageIndex, query: Query, pages: Sequence[str]) -> str:
    """Return the page that a question is about where it names several."""
    preferred = {
        Intent.MAPPING: ("weakness", "category", "view"),
        Intent.TECHNIQUES: ("tactic",),
        Intent.MEMBERS: ("view", "category"),
        Intent.MITIGATED: ("mitigation",),
        Intent.MITIGATION: ("technique",),
        Intent.DETECTION: ("technique",),
    }.get(query.intent, ())
    return next((p for p in pages if index.kind(p) in preferred), pages[0])


def _definitions(index: PassageIndex, query: Query, pages: Sequence[str]) -> Draft:
    others = [p for mention in query.mentions for p in mention.pages[1:4]]
    draft = entry.define(index, query, pages[0], others)
    for page in pages[1:4]:
        more = entry.define(index, query, page)
        draft.add(label(index, page), more.direct)
        draft.subjects.append(page)
    return draft


def _by_search(index: PassageIndex, query: Query) -> Draft | None:
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
    if stands(index, query, passages):
        first = page_of(passages[0].id)
        if len(query.rest) < FEW and not query.mentions:
            return entry.define(index, query, first)
        return _quoting(query, passages, [first])
    asks = _QUESTION.search(query.skeleton) or asks_to_set_up(query.corrected)
    if live and query.intent is Intent.SEARCH and not asks:
        if _CALLED.search(query.skeleton) and not speaks_of(index, live[0], query.rest):
            return None  # of another name than the one that is known
        return entry.define(index, query, live[0])  # a name and some words about it
    return _named_in_passing(index, query)


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
