"""Answers without a model: sentences taken from the passages that fit, each cited.

A question names pages or not, and asks for a kind of passage or not (``core.asking``). Where it
names one, that page's passages answer it; else the best passages that a search finds. An answer
stands only when what it quotes speaks of what was asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cybersecqwen.core.passages import page_of
from cybersecqwen.core.question_intent import DEFINITION, Intent, content_terms, detect_intent
from cybersecqwen.core.records import Answer, Passage
from cybersecqwen.core.text.sentences import sentences
from cybersecqwen.core.text.terms import ids_in, terms

if TYPE_CHECKING:
    from cybersecqwen.knowledge.search import KnowledgeBase

NOT_FOUND = "Not in the knowledge base."
"""How the text of an answer begins that nothing supports."""

LEAST_SUPPORT = 0.5
"""Share of what was asked that the best passage and its page's head must speak of.

Rare terms count more, the names of pages not at all. Chosen on questions made from the knowledge
base and on others that it cannot answer (``kb check``).
"""

LEAST_OF_FEW = 0.75
"""The same of a question with three terms or fewer, where one missing is much."""

_FEW = 3
_PASSAGES = 4
_NEARLY_AS_GOOD = 0.75  # of the best passage's score
_UNKNOWN_NAME = re.compile(r"(?<=\w )(?:[A-Z]\w{2,}|\w*\d\w*)")
_WHOLE = 400  # characters of a passage that is quoted whole
_SENTENCES = 2  # of a longer one


@dataclass(frozen=True, slots=True)
class _ParsedQuestion:
    """A question, read.

    Attributes:
        question: Its text.
        wish: What it asks for.
        named: Ids of the pages it names.
        rest: Terms of its subject that name no page.
        scores: Every passage's relevance (N,).
    """

    question: str
    wish: Intent | None
    named: tuple[str, ...]
    rest: tuple[str, ...]
    scores: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Quote:
    """Sentences of a passage, exactly as they stand there."""

    passage: Passage
    sentences: tuple[str, ...]


def answer(knowledge: KnowledgeBase, question: str) -> Answer:
    """Answer in quoted sentences, each with its passage's id, or say that nothing answers."""
    unknown = [name for name in ids_in(question) if not len(knowledge.places(name))]
    if unknown:
        return Answer(f"{NOT_FOUND} It has no page {', '.join(unknown)}.", found=False)
    asked = _read(knowledge, question)
    quotes = _of_pages(knowledge, asked) if asked.named else []
    if quotes and asked.wish:
        return cited(quotes)  # the named page's part of the kind asked for
    if not _stands(knowledge, asked, quotes):
        if asked.named and asked.wish and not asked.rest:
            page = knowledge.passage(int(knowledge.places(asked.named[0])[0]))
            text = f"{NOT_FOUND} {page.title} ({page_of(page.id)}) gives no {asked.wish.name}."
            return Answer(text, found=False)
        quotes = _of_search(knowledge, asked)
    return cited(quotes) if _stands(knowledge, asked, quotes) else Answer(NOT_FOUND, found=False)


def cited(quotes: Sequence[Quote]) -> Answer:
    """Return the answer that quotes make, a line for each passage."""
    lines = [
        " ".join(f"{sentence} [{quote.passage.id}]" for sentence in quote.sentences)
        for quote in quotes
    ]
    passages = tuple(quote.passage for quote in quotes)
    return Answer("\n".join(lines), tuple(passage.id for passage in passages), passages)


def _read(knowledge: KnowledgeBase, question: str) -> _ParsedQuestion:
    named = tuple(dict.fromkeys([*ids_in(question), *knowledge.named(question)]))
    subject = content_terms(question)
    spoken = {term for name in named for term in _name_terms(knowledge, name)}
    rest = tuple(term for term in subject if term not in spoken)
    wish = detect_intent(question)
    if named and not rest and wish is None:
        wish = DEFINITION
    if wish is DEFINITION and rest:
        wish = None  # "What is the port that X listens on?" asks for no definition
    return _ParsedQuestion(question, wish, named, rest, knowledge.relevance(question))


def _name_terms(knowledge: KnowledgeBase, name: str) -> list[str]:
    """Return the terms of a page's id, title and aliases."""
    page = knowledge.page(name)
    aliases = [passage.text for passage in page if passage.kind == "alias"]
    return terms(" ".join([name, page[0].title, *aliases]))


def _of_pages(knowledge: KnowledgeBase, asked: _ParsedQuestion) -> list[Quote]:
    """Quote what the named pages hold of the kind asked for."""
    pages = {name: knowledge.places(name) for name in asked.named}
    joined = knowledge.joining(asked.named)
    if len(joined):
        return _quotes(knowledge, asked, joined)
    if asked.wish is DEFINITION:
        first = next(iter(pages.values()))[0]
        return [_quote(knowledge.passage(int(first)), asked.rest)]
    together = np.concatenate(list(pages.values()))
    if asked.wish is None:
        return _quotes(knowledge, asked, together)
    wished = together[knowledge.of_kinds(asked.wish.kinds)[together]]
    if len(wished):
        return _quotes(knowledge, asked, wished)
    listed = (_listed(knowledge, places, asked.wish) for places in pages.values())
    return next(filter(None, listed), [])


def _of_search(knowledge: KnowledgeBase, asked: _ParsedQuestion) -> list[Quote]:
    """Quote the best passages of all."""
    scores = asked.scores
    best = float(scores.max(initial=0.0))
    if best <= 0:
        return []
    return _quotes(knowledge, asked, np.flatnonzero(scores >= _NEARLY_AS_GOOD * best))


def _quotes(
    knowledge: KnowledgeBase, asked: _ParsedQuestion, places: NDArray[np.intp]
) -> list[Quote]:
    ranked = places[np.argsort(-asked.scores[places], kind="stable")][:_PASSAGES]
    return [_quote(knowledge.passage(int(place)), asked.rest) for place in ranked]


def _listed(knowledge: KnowledgeBase, places: Iterable[int], wish: Intent) -> list[Quote]:
    """Quote the relations and facts of a page that are asked for, such as ``Tactics: ...``."""
    marks = tuple(f"{heading}: " for heading in (*wish.headings, *wish.facts))
    if not marks:
        return []
    quotes = []
    for place in places:
        passage = knowledge.passage(int(place))
        if passage.kind in {"relation", "facts"}:
            found = tuple(s for s in sentences(passage.text) if s.startswith(marks))
            if found:
                quotes.append(Quote(passage, found))
    return quotes[:_PASSAGES]


def _quote(passage: Passage, wanted: Sequence[str]) -> Quote:
    """Quote a short passage whole; of a longer one, the sentences that speak of what is wanted."""
    parts = sentences(passage.text)
    if len(passage.text) <= _WHOLE:
        return Quote(passage, tuple(parts))
    shared = [len(set(wanted) & set(terms(part))) for part in parts]
    best = sorted(range(len(parts)), key=lambda place: (-shared[place], place))[:_SENTENCES]
    return Quote(passage, tuple(parts[place] for place in sorted(best)))


def _stands(knowledge: KnowledgeBase, asked: _ParsedQuestion, quotes: Sequence[Quote]) -> bool:
    """Whether the best of the quoted passages, with its page's head, speaks of what was asked."""
    if not quotes or (not asked.named and _names_unknown(knowledge, asked.question)):
        return False
    if not asked.rest:
        return bool(asked.named)
    best = quotes[0].passage
    head = knowledge.passage(int(knowledge.places(page_of(best.id))[0]))
    held = set(terms(f"{best.title} {best.id} {best.text} {head.text}"))
    weights = knowledge.rarity(asked.rest)
    share = sum(w for t, w in zip(asked.rest, weights, strict=True) if t in held) / sum(weights)
    return bool(share >= (LEAST_OF_FEW if len(asked.rest) <= _FEW else LEAST_SUPPORT))


def _names_unknown(knowledge: KnowledgeBase, question: str) -> bool:
    """Whether a question names, with a capital or a number, what no passage mentions."""
    named = terms(" ".join(_UNKNOWN_NAME.findall(question)))
    return not all(map(knowledge.knows, named))
