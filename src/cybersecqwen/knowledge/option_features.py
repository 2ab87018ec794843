"""What the knowledge base says for each option of a question, as numbers that a reader weighs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from cybersecqwen.core.records import Passage
from cybersecqwen.core.text.clean import clean
from cybersecqwen.core.text.sentences import clauses
from cybersecqwen.core.text.terms import ids_in, terms
from cybersecqwen.knowledge.intents import (
    ASKED_ASPECTS,
    ASKS_EXCEPTION,
    ASPECT_WORDS,
    RELATION_HEADINGS,
)
from cybersecqwen.knowledge.search import PassageIndex

Floats = NDArray[np.float32]

_HEADING = re.compile(r"(?:^|\. )([A-Z][A-Za-z&' -]{3,24}): ")

_CONSIDERED = 1_500
"""Passages that options are compared on: those most relevant to the question."""

_READ = 3
"""Passages read word by word for each option."""

_TOP_PAGES = 3

OPTION_INPUTS = (
    "support", "support on passage", "support on page", "full support", "page support",
    "named page", "asked kind", "asked kind on named", "own page", "own head", "entry", "mentions",
    "linked to named", "linked to first", "linked to top", "relation fits", "about named", "about",
    "sentence", "sentence of option", "pairs", "pieces", "in question", "length", "unknown",
    "likeness", "digits",
)  # fmt: skip
QUESTION_INPUTS = (
    "negated",
    "options",
    "words",
    "names a page",
    *(f"asks {n}" for n in ASPECT_WORDS),
)
INPUTS = (
    *OPTION_INPUTS,
    *(f"{name}, over the best other" for name in OPTION_INPUTS),
    *(f"{name}, negated" for name in OPTION_INPUTS),
    *QUESTION_INPUTS,
)


@dataclass(frozen=True, slots=True)
class OptionFeatures:
    """Measurements of a question's options.

    Attributes:
        inputs: (options, len(INPUTS)).
        support: (options,) how well the best passage supports each.
        places: (options,) that passage's place in the index.
    """

    inputs: Floats
    support: Floats
    places: NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class _QuestionTerms:
    """A question, looked up.

    Attributes:
        text: The question.
        terms: Its distinct terms.
        places: (C,) passages considered.
        relevance: (C,) of each, 1 the best.
        page: (C,) the best of its page.
        kinds: (C,) whether it is of a kind that is asked for.
        named: (C,) whether it is on a page that the question names; on the best page where it
            names none.
        ids: Pages that the question names.
        top: Numbers of the pages most relevant, best first.
        all: (N,) the relevance of every passage.
    """

    text: str
    terms: list[str]
    places: NDArray[np.intp]
    relevance: Floats
    page: Floats
    kinds: NDArray[np.bool_]
    named: NDArray[np.bool_]
    ids: list[str]
    top: list[int]
    all: Floats


class OptionFeaturizer:
    """Measures what a knowledge base says for options.

    Args:
        index: What is said.
    """

    def __init__(self, index: PassageIndex) -> None:
        self.index = index
        self._relation = index.of_kinds(("relation",))
        self._read = lru_cache(4096)(self._sentences)
        self._idf = lru_cache(1 << 16)(self._one_idf)
        self._relations = lru_cache(2048)(self._relations_of)

    def measure(self, question: str, choices: Sequence[str]) -> OptionFeatures:
        """Return the measurements of every option."""
        asked = self._ask(question)
        options = [list(dict.fromkeys(terms(choice))) for choice in choices]
        shared = set(options[0]).intersection(*options[1:])
        options = [[t for t in option if t not in shared] or option for option in options]
        table = np.zeros((len(choices), len(OPTION_INPUTS)), np.float32)
        support = np.zeros(len(choices), np.float32)
        places = np.zeros(len(choices), np.intp)
        for row, (choice, option) in enumerate(zip(choices, options, strict=True)):
            scores = self.index.term_scores(option)[asked.places]
            words, support[row], places[row] = self._words(asked, option, scores)
            links = self._links(asked, choice)
            shape = self._shape(asked, choice, option, [o for o in options if o is not option])
            table[row] = [*words, *links, *self._reading(asked, option, choice, scores), *shape]
        return OptionFeatures(self._assembled(asked, table), support, places)

    def _ask(self, question: str) -> _QuestionTerms:
        knowledge = self.index
        scores = knowledge.relevance(question)
        scores = scores / max(float(scores.max(initial=0.0)), 1e-9)
        pages = knowledge.page_maximum(scores)
        both = scores + pages
        most = min(_CONSIDERED, len(both) - 1)
        places = np.argpartition(-both, most)[: most + 1]
        places = places[np.lexsort((places, -both[places]))]
        ids = list(knowledge.parse(question).subjects)
        numbers = [
            knowledge.page_of_passage[found[0]] for i in ids if len(found := knowledge.places(i))
        ]
        of = knowledge.page_of_passage[places]
        top = list(dict.fromkeys(of[:200].tolist()))[:_TOP_PAGES]
        wanted = [
            kind for name, (_, kind) in ASPECT_WORDS.items() if ASKED_ASPECTS[name].search(question)
        ]
        return _QuestionTerms(
            text=question,
            terms=list(dict.fromkeys(terms(question))),
            places=places,
            relevance=scores[places],
            page=pages[places],
            kinds=knowledge.of_kinds(wanted)[places],
            named=_is_one_of(of, numbers or top[:1]),
            ids=ids,
            top=top,
            all=scores,
        )

    def _words(
        self, asked: _QuestionTerms, option: list[str], scores: Floats
    ) -> tuple[list[float], float, int]:
        """Measure how well passages that score so (C,) for an option's terms support it."""
        most = float(self.index.idf(option).sum())
        covered = scores / np.float32(max(most, 1e-9))
        root = np.sqrt(covered)
        both = (asked.relevance + asked.page) * root
        place = int(both.argmax())
        page_covered = np.where(asked.named, covered, 0)
        values = [
            float(both[place]),
            float((asked.relevance * root).max()),
            float((asked.page * root).max()),
            float(((asked.relevance + asked.page) * covered).max()),
            float((asked.page * covered).max()),
            float(page_covered.max()),
            float((both * asked.kinds).max()),
            float((page_covered * asked.kinds).max()),
        ]
        return values, float(both[place]), int(asked.places[place])

    def _links(self, asked: _QuestionTerms, choice: str) -> list[float]:
        """Measure an option that is, or mentions, an entry."""
        knowledge = self.index
        ids = ids_in(choice) or knowledge.names.spelt(choice)
        whole = bool(ids)
        ids = ids or list(knowledge.parse(choice).subjects[:2])
        spans = [found for i in ids if len(found := knowledge.places(i))]
        if not spans:
            return [0.0] * 10
        numbers = [knowledge.page_of_passage[span[0]] for span in spans]
        own = max(float(asked.all[span].max()) for span in spans)
        head = max(float(asked.all[span[0]]) for span in spans)
        of = knowledge.page_of_passage[asked.places]
        holds = knowledge.term_scores([i.lower() for i in ids])[asked.places] > 0
        elsewhere = holds & ~_is_one_of(of, numbers)
        about = _is_one_of(knowledge.about[asked.places], numbers)
        fits = max((self._fits(asked, page, ids) for page in asked.top[:2]), default=0.0)
        return [
            own,
            head,
            float(whole),
            1.0,
            float((elsewhere & asked.named).any()) if asked.ids else 0.0,
            float((elsewhere & (of == asked.top[0])).any()),
            float((elsewhere & _is_one_of(of, asked.top)).any()),
            fits,
            float((asked.relevance * (about & asked.named)).max()),
            float((asked.relevance * about).max()),
        ]

    def _fits(self, asked: _QuestionTerms, page: int, ids: Sequence[str]) -> float:
        """Return 1 where the relation asked for leads from a page to an entry, 0.4 for another."""
        found = [heading for i in ids for heading in self._relations(page).get(i, ())]
        if not found:
            return 0.0
        wanted = {
            h for pattern, names in RELATION_HEADINGS if pattern.search(asked.text) for h in names
        }
        return 1.0 if wanted.intersection(found) else 0.4

    def _relations_of(self, page: int) -> dict[str, list[str]]:
        """Return, for each id that a page's relations lead to, their headings."""
        start, end = np.searchsorted(self.index.page_of_passage, [page, page + 1]).tolist()
        found: dict[str, list[str]] = {}
        heading = ""
        for place in range(start, end):
            if not self._relation[place]:
                continue
            parts = _HEADING.split(self.index.passage(place).text)
            for number, part in enumerate(parts):
                if number % 2:
                    heading = part
                else:
                    for name in ids_in(part):
                        found.setdefault(name, []).append(heading)
        return found

    def _reading(
        self, asked: _QuestionTerms, option: list[str], choice: str, scores: Floats
    ) -> list[float]:
        """Read the passages that support an option best, sentence by sentence."""
        wanted = {t: self._idf(t) for t in option}
        spoken = {t: self._idf(t) for t in asked.terms}
        total, question = sum(wanted.values()) or 1.0, sum(spoken.values()) or 1.0
        pairs = set(pairwise(terms(choice)))
        pieces = _pieces(choice)
        most = [0.0] * 4
        most_score = 0.0
        order = np.argsort(-(asked.relevance + asked.page) * np.sqrt(scores), kind="stable")
        for place in asked.places[order[:_READ]].tolist():
            title, parts = self._read(place)
            for words, bigrams, text in parts:
                held = sum(v for t, v in wanted.items() if t in words) / total
                said = sum(v for t, v in spoken.items() if t in words or t in title) / question
                score = (held * said) ** 0.5
                if score > most_score:
                    most_score = score
                    share = len(pieces & text) / len(pieces) if pieces else 0.0
                    most[0], most[3] = score, share
                most[1] = max(most[1], held)
                if pairs:
                    most[2] = max(most[2], len(pairs & bigrams) / len(pairs))
        return most

    def _sentences(
        self, place: int
    ) -> tuple[set[str], list[tuple[set[str], set[tuple[str, str]], set[str]]]]:
        passage: Passage = self.index.passage(place)
        parts = []
        for clause in clauses(passage.text):
            words = terms(clause)
            parts.append((set(words), set(pairwise(words)), _pieces(clause)))
        return set(terms(f"{passage.title} {passage.id}")), parts

    def _one_idf(self, term: str) -> float:
        known = self.index.idf([term])
        return float(known[0]) if len(known) else 8.0

    def _shape(
        self, asked: _QuestionTerms, choice: str, option: list[str], others: Sequence[list[str]]
    ) -> list[float]:
        """Measure an option by itself, beside the question and the other options."""
        mine, spoken = set(option), set(asked.terms)
        alike = [len(mine & set(o)) / max(1, len(mine | set(o))) for o in others]
        known = len(self.index.idf(option))
        return [
            len(mine & spoken) / max(1, len(mine)),
            float(np.log1p(len(choice.split()))),
            1 - known / max(1, len(option)),
            float(np.mean(alike)) if alike else 0.0,
            float(any(char.isdigit() for char in choice)),
        ]

    def _assembled(self, asked: _QuestionTerms, table: Floats) -> Floats:
        """Put together what is measured, what stands out, and what the question is."""
        negated = float(ASKS_EXCEPTION.search(asked.text) is not None)
        size = len(table)
        others = np.stack([np.delete(table, row, axis=0).max(axis=0) for row in range(size)])
        of_question = [negated, size / 5, np.log1p(len(asked.terms)), float(bool(asked.ids))]
        of_question += [
            float(ASKED_ASPECTS[n].search(asked.text) is not None) for n in ASPECT_WORDS
        ]
        said = np.tile(np.array(of_question, np.float32), (size, 1))
        return np.hstack([table, table - others, negated * table, said]).astype(np.float32)


def _is_one_of(values: NDArray[np.int32], few: Sequence[int]) -> NDArray[np.bool_]:
    """Return which values are one of a few; faster than ``np.isin`` on short arrays."""
    found = np.zeros(values.shape, np.bool_)
    for number in few:
        found |= values == number
    return found


def _pieces(text: str) -> set[str]:
    """Return the runs of four characters within a text's words."""
    joined = clean(text).lower()
    return {joined[n : n + 4] for n in range(len(joined) - 3)}
