"""Search: BM25 over passages, and the ids and names that a question spells out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.passages import page_of
from cybersecqwen.core.question_intent import passage_kinds
from cybersecqwen.core.records import Answer, ChoiceAnswer, Passage
from cybersecqwen.core.text.clean import normalised, words
from cybersecqwen.core.text.terms import ids_in, terms
from cybersecqwen.knowledge.extractive import answer
from cybersecqwen.knowledge.index import (
    ARRAYS,
    BM25,
    HEADS,
    NAMES,
    PASSAGES,
    IndexManifest,
    Names,
    read_manifest,
)
from cybersecqwen.knowledge.lexical import bm25s
from cybersecqwen.knowledge.multiple_choice import answer_choice, best_coverage
from cybersecqwen.knowledge.pairs import PairIndex

# What a passage gains, as shares of the best BM25 score, when the question names its page; half
# of it when it names the entry the passage is about. An id leaves no doubt; a name may be an
# ordinary word. The page's head, its description, gains a little more.
_ID_SHARE = 1.0
_NAME_SHARE = 0.25
_HEAD_SHARE = 0.5
_LONGEST_NAME = 16  # words

# Chosen on 2,500 questions made from the knowledge base: thinned sentences, some of their words
# exchanged for others of like meaning, with or without a thinned description of their page.
_KIND_FACTOR = 1.2  # for a passage of the kind that the question asks for
_HEAD_WEIGHT = 0.3  # of the BM25 score of the page's head
_PAIR_WEIGHT = 0.3  # of the page's score for pairs of words


class KnowledgeBase:
    """An index, opened by memory map.

    Args:
        folder: What ``build`` made.

    Raises:
        InputError: The folder is no knowledge index, or a damaged one.
    """

    def __init__(self, folder: Path) -> None:
        self.manifest: IndexManifest = read_manifest(folder)
        try:
            self._bm25 = bm25s.BM25.load(folder / BM25, mmap=True)
            self._heads = bm25s.BM25.load(folder / HEADS, mmap=True, load_vocab=False)
            self._pairs = PairIndex.load(folder)
            offsets, pages, about, kinds = (
                np.load(folder / f"{name}.npy", mmap_mode="r") for name in ARRAYS
            )
            self._texts = np.memmap(folder / PASSAGES, np.uint8, "r")
            self._names = msgspec.json.decode((folder / NAMES).read_bytes(), type=Names)
        except (OSError, EOFError, ValueError) as error:
            raise InputError(f"{folder}: damaged knowledge index: {error}") from error
        self._offsets: NDArray[np.int64] = offsets  # (N + 1,)
        self._pages: NDArray[np.int32] = pages  # (N,)
        self._about: NDArray[np.int32] = about  # (N,)
        self._kinds: NDArray[np.uint8] = kinds  # (N,)

    def __len__(self) -> int:
        return self.manifest.passages

    def passage(self, number: int) -> Passage:
        """Return a passage by its place in the index."""
        start, end = self._offsets[number], self._offsets[number + 1]
        return msgspec.json.decode(self._texts[start:end].tobytes(), type=Passage)

    def cited(self, citation: str) -> Passage | None:
        """Return the passage of a citation id, or None where there is none."""
        page = self.page(page_of(citation))
        return next((passage for passage in page if passage.id == citation), None)

    def page(self, name: str) -> list[Passage]:
        """Return the passages of the page with that id; none if there is no such page."""
        return [self.passage(int(place)) for place in self.places(name)]

    def places(self, name: str) -> NDArray[np.intp]:
        """Return where in the index the passages of a page lie; nowhere if there is no such page.

        A page's passages lie together, its head first.
        """
        page = self._page_numbers.get(name, -2)
        first, end = np.searchsorted(self._pages, [page, page + 1])
        return np.arange(first, end)

    def joining(self, names: Sequence[str]) -> NDArray[np.intp]:
        """Return where the passages lie that belong to one of the pages and concern another."""
        pages = [self._page_numbers[name] for name in names if name in self._page_numbers]
        return np.flatnonzero(np.isin(self._pages, pages) & np.isin(self._about, pages))

    @property
    def page_numbers(self) -> NDArray[np.int32]:
        """The number of each passage's page (N,), rising."""
        return self._pages

    @property
    def about(self) -> NDArray[np.int32]:
        """The number of the other page that each passage concerns (N,); -1 for none."""
        return self._about

    def spelt(self, text: str) -> list[str]:
        """Return the ids of entries whose name or alias is exactly this text, case aside."""
        return list(dict.fromkeys(i for _, i in self._names.by_words.get(normalised(text), ())))

    def answer(self, question: str) -> Answer:
        """Answer in sentences taken from the passages; see ``extract.answer``."""
        return answer(self, question)

    def choose(self, question: str, choices: Sequence[str]) -> ChoiceAnswer:
        """Choose the option that some passage supports best; see ``choice.answer_choice``."""
        return answer_choice(self, question, choices)

    def search(self, query: str, limit: int = 8) -> list[tuple[Passage, float]]:
        """Return the best passages and their scores, best first; none that share no term."""
        scores = self.relevance(query)
        return [(self.passage(int(n)), float(scores[n])) for n in best(scores, limit)]

    def pages(self, query: str, limit: int = 5, choices: Sequence[str] = ()) -> list[str]:
        """Return the ids of the best pages, each as good as its best passage, best first.

        The options of a multiple-choice question, where there are some, up to double what a
        passage counts that holds one of them.
        """
        scores = self.relevance(query)
        if choices:
            scores *= 1 + best_coverage(self, choices)
        highest = np.maximum.reduceat(scores, self._page_starts)
        ids = self.manifest.page_ids
        return [ids[self._pages[self._page_starts[n]]] for n in best(highest, limit)]

    def relevance(self, query: str) -> NDArray[np.float32]:
        """Return every passage's score (N,).

        It is BM25, more for the kind asked for; a share of what its page scores for its head and
        for pairs of words; and a share of the best for what the question names.
        """
        numbers = self._numbers(terms(query))
        scores: NDArray[np.float32] = self._bm25.get_scores_from_ids(numbers)
        scores[self.of_kinds(passage_kinds(query))] *= _KIND_FACTOR
        pages = _HEAD_WEIGHT * self._heads.get_scores_from_ids(numbers)
        pages += _PAIR_WEIGHT * self._pairs.scores(numbers)
        scores += self._spread(pages) * (scores > 0)
        unit = float(scores.max(initial=0.0)) or 1.0
        shares = dict.fromkeys(self.named(query), _NAME_SHARE)
        for name in ids_in(query):
            shares |= dict.fromkeys([name, *self._names.replaced_by.get(name, ())], _ID_SHARE)
        for name, share in shares.items():
            places = self.places(name)
            if len(places):
                scores[places] += share * unit
                scores[places[:1]] += _HEAD_SHARE * share * unit
                scores[self._about == self._pages[places[0]]] += share * unit / 2
        return scores

    def bm25(self, query: Sequence[str]) -> NDArray[np.float32]:
        """Return every passage's BM25 score (N,) for some terms."""
        scores: NDArray[np.float32] = self._bm25.get_scores_from_ids(self._numbers(query))
        return scores

    def idf(self, query: Sequence[str]) -> NDArray[np.float64]:
        """Return the inverse document frequency of those terms that the index knows.

        A term adds at most that much to a BM25 score (Lucene's variant).
        """
        numbers = np.array(self._numbers(query), dtype=np.int64)
        pointers = self._bm25.scores["indptr"]
        frequency = pointers[numbers + 1].astype(float) - pointers[numbers]
        idf: NDArray[np.float64] = np.log1p((len(self) - frequency + 0.5) / (frequency + 0.5))
        return idf

    def knows(self, term: str) -> bool:
        """Whether any passage holds a term."""
        return term in self._bm25.vocab_dict

    def rarity(self, wanted: Sequence[str]) -> NDArray[np.float64]:
        """Return the inverse document frequency of each term, known or not."""
        rare = np.full(len(wanted), np.log1p((len(self) + 0.5) / 0.5))
        here = [place for place, term in enumerate(wanted) if self.knows(term)]
        rare[here] = self.idf([wanted[place] for place in here])
        return rare

    def page_maximum(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return, for every passage, the highest of its page's scores (N,)."""
        return self._spread(np.maximum.reduceat(scores, self._page_starts))

    def of_kinds(self, kinds: Sequence[str]) -> NDArray[np.bool_]:
        """Return which passages (N,) are of one of the kinds."""
        numbers = [n for n, kind in enumerate(self.manifest.kinds) if kind in kinds]
        mask: NDArray[np.bool_] = np.isin(self._kinds, numbers)
        return mask

    def named(self, text: str) -> list[str]:
        """Return the ids of entries whose name or alias the text spells out, longest first.

        A name of one word counts only in its own spelling and from three letters on, since
        ``Net`` and ``at`` are software, and ``Impact`` is a tactic.
        """
        found: list[str] = []
        spoken = words(text)
        start = 0
        while start < len(spoken):
            for end in range(min(len(spoken), start + _LONGEST_NAME), start, -1):
                known = self._names.by_words.get(" ".join(spoken[start:end]), ())
                ids = [i for name, i in known if end - start > 1 or _spelt(name, text)]
                if ids:
                    found += ids
                    start = end
                    break
            else:
                start += 1
        return list(dict.fromkeys(found))

    def _numbers(self, query: Sequence[str]) -> list[int]:
        numbers: list[int] = self._bm25.get_tokens_ids(list(query))
        return numbers

    def _spread(self, pages: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return each page's value for each of its passages (N,)."""
        lengths = np.diff(self._page_starts, append=len(self))
        spread: NDArray[np.float32] = np.repeat(pages, lengths)
        return spread

    @cached_property
    def _page_starts(self) -> NDArray[np.intp]:
        # A page's passages lie together.
        return np.flatnonzero(np.diff(self._pages, prepend=-1))

    @cached_property
    def _page_numbers(self) -> dict[str, int]:
        return {name: n for n, name in enumerate(self.manifest.page_ids)}


def best(scores: NDArray[np.float32], limit: int) -> NDArray[np.intp]:
    """Return the places of the ``limit`` highest scores above 0, best first, ties in order."""
    limit = min(limit, int((scores > 0).sum()))
    if limit == 0:
        return np.array([], dtype=np.intp)
    if limit < len(scores):
        lowest = np.partition(scores, len(scores) - limit)[len(scores) - limit]
        places = np.flatnonzero(scores >= lowest)
    else:
        places = np.arange(len(scores))
    return places[np.argsort(-scores[places], kind="stable")][:limit]


def _spelt(name: str, text: str) -> bool:
    return len(name) > 2 and re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) is not None
