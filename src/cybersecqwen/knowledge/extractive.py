"""Answers without a language model: the question's intent decides what is composed or quoted."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from cybersecqwen.core.interfaces import AnswerHelpers
from cybersecqwen.core.records import Answer, CwePrediction
from cybersecqwen.core.text.terms import terms
from cybersecqwen.knowledge.answers import (
    chain,
    comparison,
    cve,
    cvss,
    entry,
    glossary,
    kinship,
    levels,
    mapping,
    origin,
    protection,
    relations,
    which,
)
from cybersecqwen.knowledge.answers.draft import NOT_FOUND, Draft, label
from cybersecqwen.knowledge.answers.searching import ACTORS, by_search
from cybersecqwen.knowledge.concepts import asked_concepts
from cybersecqwen.knowledge.intents import TECHNIQUE_TOLD, Intent
from cybersecqwen.knowledge.query import Query
from cybersecqwen.knowledge.scope import asks_elsewhere, asks_of_scores
from cybersecqwen.knowledge.search import PassageIndex
from cybersecqwen.knowledge.support import (
    sets_beside_unknown,
    speaks_of,
)

HELP = (
    "Ask about a weakness (CWE), an attack pattern (CAPEC), or an ATT&CK technique, tactic, group, "
    "software or mitigation: what it is, who uses it, how to mitigate or detect it."
)

_LEAST_LIKELY = 0.17
"""Probability of a weakness below which its name says nothing: texts that mean nothing get less."""

_LEAST_OF_A_TECHNIQUE = 0.3
"""Probability of a technique below which its name says nothing."""

_DESCRIBED = 4  # terms beside names and intent
_NEAREST = 3


def answer(index: PassageIndex, query: Query, helpers: AnswerHelpers) -> Answer:
    """Answer a question: the direct answer first, then details, each with its passages."""
    if query.intent is Intent.SMALL_TALK:
        return Answer(f"{NOT_FOUND} {HELP}", found=False, intent=query.intent.value)
    if (listed := levels.asked_for(query)) and (held := levels.list_entries(index, listed)):
        return held.finished(index, query)
    described = helpers.describes(query.text)
    if not query.cves and (explained := _explained(index, query, described)):
        return explained
    elsewhere = asks_elsewhere(query) or sets_beside_unknown(index, query)
    if query.unknown or (elsewhere and not described):
        lacks = f" It has no page {', '.join(query.unknown)}." if query.unknown else ""
        return _refused(index, query, f"{NOT_FOUND}{lacks}")
    if query.cves and not described:
        return _of_cves(index, query, helpers)
    return _by_a_classifier(index, query, helpers) or _from_pages(
        index, _without_own_words(index, query)
    )


def _by_a_classifier(index: PassageIndex, query: Query, helpers: AnswerHelpers) -> Answer | None:
    """Answer a question that describes a flaw, or tells what was done; None for others."""
    if helpers.predict and _describes(query, helpers):
        return _predicted(index, query, helpers.predict(_description(query)), helpers.classifier)
    if helpers.techniques and (told := _told(query)):
        found = helpers.techniques(told)
        page, share = found.candidates[0]
        surely = told != query.text and share >= _LEAST_OF_A_TECHNIQUE
        if (surely or not found.abstained) and index.has_page(page):
            return which.predicted_technique(index, found).finished(index, query)
    return _against_what_was_told(index, query, helpers)


def _against_what_was_told(
    index: PassageIndex, query: Query, helpers: AnswerHelpers
) -> Answer | None:
    """Answer how to stop or notice what a question tells that was done; None for others."""
    asks = _WHAT_TO_DO.search(query.text)
    if helpers.techniques is None or query.intent not in _PROTECTING or query.mentions or not asks:
        return None
    told = query.text[: asks.start()].strip()
    if len(told.split()) < _FEWEST_TOLD:
        return None
    found = helpers.techniques(told)
    page, share = found.candidates[0]
    unsure = found.abstained and share < _LEAST_OF_A_TECHNIQUE
    if unsure or not index.has_page(page):
        return None
    compose = protection.detect if query.intent is Intent.DETECTION else protection.mitigate
    part = compose(index, replace(query, rest=()), page)
    if part is None:
        return None
    draft = which.predicted_technique(index, found)
    draft.direct += part.direct
    draft.sections += part.sections
    return draft.finished(index, query)


_PROTECTING = frozenset({Intent.MITIGATION, Intent.DETECTION})
_WHAT_TO_DO = re.compile(
    r"[\s,;.:!?]+(?:so |and |but )?(?:how|what|is there)\b[^,;.:!?]*[.?!\s]*$", re.IGNORECASE
)
_FEWEST_TOLD = 3  # words


def _told(query: Query) -> str:
    """Return what a question tells that was done, which asks for the technique; else nothing."""
    if query.intent is not Intent.WHICH or "technique" not in query.wanted:
        return ""
    asks = TECHNIQUE_TOLD.search(query.text)
    if asks is None and (query.mentions or len(query.rest) < _DESCRIBED):
        return ""
    return TECHNIQUE_TOLD.sub(" ", query.text).strip()


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
    if listed := _numbers(index, query):
        return listed.finished(index, query)
    # Who says so much besides a name and what is asked of it describes a case of their own.
    described = len(query.rest) >= _DESCRIBED and query.intent is not Intent.WHICH
    composed = origin.of_country(index, query)
    if composed is None and described:
        composed = by_search(index, query)
    if composed is None:
        composed, settled = _composed(index, query)
        if composed is None and not settled and not described:
            composed = by_search(index, query)
    if composed is None:
        return _refused(index, query)
    if not composed.found:
        return _refused(index, query, f"{NOT_FOUND} {composed.direct[0].text}")
    return composed.finished(index, query)


def _numbers(index: PassageIndex, query: Query) -> Draft | None:
    """Answer how many entries of a kind there are, or which CVE ids an actor has exploited."""
    counted = query.intent is not Intent.TACTIC and _COUNTS.search(query.skeleton)
    if counted and query.wanted and not query.mentions and not query.rest:
        return glossary.count_entries(index, query)
    (page, *others) = query.subjects or ("",)
    alone = page and not others and index.kind(page) in ACTORS
    return cve.exploited(index, page) if alone and _CVES.search(query.skeleton) else None


def _without_own_words(index: PassageIndex, query: Query) -> Query:
    """Return a question whose rest has no words that its subjects' own titles hold."""
    own = set(terms(" ".join(index.title(page) for page in query.subjects)))
    return replace(query, rest=tuple(term for term in query.rest if term not in own))


def _describes(query: Query, helpers: AnswerHelpers) -> bool:
    """Whether the classifier should read a question: no page is named so, or it is a record."""
    if "weakness" not in query.wanted and set(query.wanted) & {"technique", "attack pattern"}:
        return False
    named = any(page.startswith("CWE-") for mention in query.mentions for page in mention.pages)
    if named and not query.rest:
        return False
    if helpers.describes(query.text):
        return True
    if query.intent is not Intent.WHICH:
        return False
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
        kinship.kin(i, q, p, upwards=False) or kinship.kin(i, q, p, upwards=True)
    ),
    Intent.PARENT: kinship.parents,
    Intent.SIBLING: kinship.siblings,
    Intent.CHILD: lambda i, q, p: kinship.kin(i, q, p, upwards=False),
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


_COUNTS = re.compile(r"\bhow many\b|\bnumber of\b|\bcount\b", re.IGNORECASE)
_CVES = re.compile(r"\bcves\b|\b(?:cves?|vulnerabilit\w+)\b.*\bexploit", re.IGNORECASE)
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
