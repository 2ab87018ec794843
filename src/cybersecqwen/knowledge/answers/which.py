"""Answers to which weakness, technique or attack pattern something is."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from cybersecqwen.core.records import AnswerLine, CwePrediction, Passage, TechniquePrediction
from cybersecqwen.core.text.synonyms import replacements
from cybersecqwen.core.text.terms import stem, terms
from cybersecqwen.knowledge.answers.draft import (
    Draft,
    counted,
    head,
    label,
    labels,
    listing,
    quoted,
    short_label,
)
from cybersecqwen.knowledge.answers.mapping import usage
from cybersecqwen.knowledge.intents import without_kinds
from cybersecqwen.knowledge.query import MARK, Mention, Query
from cybersecqwen.knowledge.search import PassageIndex

_KINDS = ("weakness", "technique", "attack pattern")
_OTHERS = 3
_DESCRIBED = 4
_PROCEDURES = 6
_WORTH_NAMING = 0.1  # probability of a weakness beside the likeliest


def named_entry(index: PassageIndex, query: Query) -> Draft | None:
    """Name the entry that a question gives in words, by its name or a term of the field.

    A word before the name that no page knows makes it another thing: ``yodel tunneling``.
    """
    if any(_made_up(index, query, mention) for mention in query.mentions):
        return None
    kinds = [kind for kind in query.wanted if kind in _KINDS] or list(_KINDS)
    pages = [
        page
        for mention in query.mentions
        if not mention.excluded
        for page in mention.pages
        if index.kind(page) in kinds and not index.is_withdrawn(page)
    ]
    pages = list(dict.fromkeys(pages))
    return _entry(index, pages[0], pages[1:]) if pages else None


_BEFORE = re.compile(r"([a-z]{4,}) $")


def _made_up(index: PassageIndex, query: Query, mention: Mention) -> bool:
    before = _BEFORE.search(query.corrected[: mention.start])
    if before is None or mention.is_id:
        return False
    return stem(before[1]) not in index.vocabulary and not index.speller.knows(before[1])


def _entry(index: PassageIndex, page: str, others: Sequence[str]) -> Draft:
    draft = Draft(subjects=[page])
    first = head(index, page)
    draft.say(f"That is {label(index, page)}.", first)
    draft.quote(first)
    _add_usage(draft, index, page)
    for other in others[:_OTHERS]:
        draft.add(f"Also {label(index, other)}", [quoted(head(index, other))])
    return draft


def _add_usage(draft: Draft, index: PassageIndex, page: str) -> None:
    found = usage(index, page)
    if found:
        passage = index.passages_of(page, "mapping")[0]
        draft.add("Mapping", [AnswerLine(f"Usage: {found}.", (passage.id,), quoted=True)])


def predicted_entry(
    index: PassageIndex, query: Query, prediction: CwePrediction, name: str
) -> Draft:
    """Name the weakness that a classifier finds behind a description."""
    page = prediction.cwe
    draft = Draft(subjects=[page])
    sure = "Unsure; perhaps" if prediction.abstained else "Likely"
    said = (
        f"{sure} {label(index, page)}, with a probability of {prediction.confidence:.2f} ({name})."
    )
    if not index.has_page(page):
        draft.direct.append(AnswerLine(said, ()))
        return draft
    draft.say(said, head(index, page))
    draft.quote(head(index, page))
    _add_usage(draft, index, page)
    others = [
        candidate
        for candidate in prediction.candidates[1 : 1 + _OTHERS]
        if index.has_page(candidate.cwe) and candidate.probability >= _WORTH_NAMING
    ]
    for candidate in others:
        heading = f"Or {label(index, candidate.cwe)}, {candidate.probability:.2f}"
        draft.add(heading, [quoted(head(index, candidate.cwe))])
    if prediction.abstained:
        _add_nearest(draft, index, query, {page, *(c.cwe for c in others)})
    mitigations = index.passages_of(page, "mitigation")
    draft.add("Mitigations", [quoted(p) for p in mitigations[:3]], len(mitigations))
    consequences = index.passages_of(page, "consequence")
    draft.add("Consequences", [quoted(p) for p in consequences[:2]], len(consequences))
    return draft


def predicted_technique(index: PassageIndex, found: TechniquePrediction) -> Draft:
    """Name the technique that a classifier finds in what was done."""
    (page, share), *others = found.candidates
    draft = Draft(subjects=[page])
    sure = "Unsure; perhaps" if found.abstained else "Likely"
    draft.say(
        f"{sure} {label(index, page)}, with a probability of {share:.2f} ({found.model}).",
        head(index, page),
    )
    draft.quote(head(index, page))
    for other, probability in others[:_OTHERS]:
        if index.has_page(other) and probability >= _WORTH_NAMING:
            heading = f"Or {label(index, other)}, {probability:.2f}"
            draft.add(heading, [quoted(head(index, other))])
    return draft


def _add_nearest(draft: Draft, index: PassageIndex, query: Query, said: set[str]) -> None:
    """Add the weakness whose page is nearest by its words, where it is not among those said."""
    near = found_entry(index, query, sure=False, kinds=("weakness",))
    if near is not None and near.subjects[0] not in said:
        page = near.subjects[0]
        draft.add(f"Nearest by its words: {label(index, page)}", [quoted(head(index, page))])


def found_entry(
    index: PassageIndex, query: Query, *, sure: bool, kinds: Sequence[str] = ()
) -> Draft | None:
    """Name the entry of the kinds wanted whose page fits a question's words best."""
    kinds = kinds or [kind for kind in query.wanted if kind in _KINDS] or _KINDS
    if not query.rest:
        return None
    scores = index.term_scores(query.rest)
    heads = np.repeat(0.0, len(index)).astype(np.float32)
    starts = index.head_places
    heads[starts] = index.head_scores(query.rest)
    both = (index.page_maximum(scores) * 0.5 + index.page_maximum(heads)) * index.on_pages_of_kind(
        *kinds
    )
    pages = index.best_pages(both, 1 + _OTHERS)
    if not pages:
        return None
    draft = Draft(subjects=pages[:1])
    first = head(index, pages[0])
    draft.say(
        f"{'That is most likely' if sure else 'Nearest by its words is'} {label(index, pages[0])}.",
        first,
    )
    draft.quote(first)
    for other in pages[1:]:
        draft.add(f"Or {label(index, other)}", [quoted(head(index, other))])
    return draft


def actors(index: PassageIndex, query: Query) -> Draft | None:
    """Name groups, software or campaigns whose own pages speak of all that is asked."""
    kinds = [kind for kind in query.wanted if kind in {"group", "software", "campaign"}]
    if not kinds or not query.rest or any(t not in index.vocabulary for t in query.rest):
        return None
    wanted = set(query.rest) - _PURSUING
    among = [page for page in index.pages_of_kind(*kinds) if _on_platform(index, query, page)]
    deed = _deed(query)
    platforms_alone = wanted <= _ASKING and not set(deed) <= wanted
    if platforms_alone and (acting := _acting(index, deed, kinds[0], among)):
        return acting
    pages = [page for page in among if _speaks_of_all(index, page, wanted)]
    if pages:
        return _described(index, query, kinds[0], pages)
    return _acting(index, query.rest, kinds[0], among)


def _speaks_of_all(index: PassageIndex, page: str, wanted: set[str]) -> bool:
    """Whether a page's own text has each term, or another word for the sector that it names."""
    own = set(terms(_own_text(index, page)))
    return all(term in own or not own.isdisjoint(_SECTORS.get(term, ())) for term in wanted)


# Who is attacked, as people and as pages call it.
_SECTORS = replacements(
    [stem(word) for word in group.split()]
    for group in (
        "hospital healthcare medical",
        "bank financial banking",
        "telco telecom telecommunications telecommunication",
        "power electric energy utilities grid",
        "university academic education",
        "school education",
        "airline aviation",
        "factory manufacturing",
        "hotel hospitality",
        "shop retail",
        "ministry government",
        "newspaper media journalists",
        "army military defense",
        "lawyer legal",
        "insurer insurance",
        "shipping maritime",
    )
)
_ASKING = frozenset(
    terms(
        """which what who name list show tell find any some all known mobile android iphone ios
        phone phones smartphone use uses used using able there have has does did has been me
        threat actor"""
    )
)


def _deed(query: Query) -> list[str]:
    """Return the terms that say what actors do, words too that frame other questions."""
    bare = without_kinds(MARK.sub(" ", query.skeleton))
    return [term for term in dict.fromkeys(terms(bare)) if term not in _ASKING]


_PURSUING = frozenset(terms("go goes going after"))
_MOBILE = re.compile(r"\b(?:mobile|android|ios|iphones?|phones?|smartphones?)\b", re.IGNORECASE)


def _on_platform(index: PassageIndex, query: Query, page: str) -> bool:
    """Whether a page is of ATT&CK for mobile devices, where the question asks for those."""
    return _MOBILE.search(query.corrected) is None or index.source(page) == "mobile-attack"


def _acting(
    index: PassageIndex, deed: Sequence[str], kind: str, among: Sequence[str]
) -> Draft | None:
    """Name the entries of which a single procedure holds all terms of what is done."""
    numbers = [n for term in deed if (n := index.vocabulary.number(term)) is not None]
    if not deed or len(numbers) < len(deed):
        return None
    places = index.passages_holding(numbers[0])
    for number in numbers[1:]:
        places = np.intersect1d(places, index.passages_holding(number))
    found: dict[str, Passage] = {}
    kept = set(among)
    for place in places[index.of_kinds(("procedure",))[places]].tolist():
        page = index.page_ids[index.page_of_passage[place]]
        other = index.about[place]
        about = index.page_ids[other] if other >= 0 else ""
        name = page if page in kept else about
        if name in kept:
            found.setdefault(name, index.passage(place))
    if not found:
        return None
    pages = list(found)
    draft = Draft(subjects=pages)
    said = f"The procedures of {counted(len(pages), kind)} speak of that"
    draft.say(f"{said}: {listing(labels(index, pages), 6)}.", *list(found.values())[:_DESCRIBED])
    draft.add("Procedures", [quoted(p, 2) for p in list(found.values())[:_PROCEDURES]], len(pages))
    draft.add_list("All of them", labels(index, pages), list(found.values())[:_DESCRIBED])
    return draft


def _own_text(index: PassageIndex, page: str) -> str:
    passages = index.passages_of(page, "description", "facts")
    return " ".join([index.title(page), *(passage.text for passage in passages)])


def _described(index: PassageIndex, query: Query, kind: str, pages: Sequence[str]) -> Draft:
    """Name the entries of a kind whose pages speak of what is asked."""
    draft = Draft(subjects=list(pages))
    shown = pages[:_DESCRIBED]
    count = counted(len(pages), kind)
    draft.say(
        f"The pages of {count} speak of that: {listing(labels(index, pages), 6)}.",
        *(head(index, page) for page in shown),
    )
    for page in shown:
        draft.add(label(index, page), [quoted(head(index, page), 2, query.rest)])
    draft.add_list("All of them", labels(index, pages), [head(index, page) for page in shown])
    return draft


__all__ = [
    "actors",
    "found_entry",
    "named_entry",
    "predicted_entry",
    "predicted_technique",
    "short_label",
]
