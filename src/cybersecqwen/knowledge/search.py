"""Search: BM25 over passages, and the ids and names that a question spells out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import bm25s
import msgspec
import numpy as np
from numpy.typing import NDArray

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.records import Answer, ChoiceAnswer, Passage
from cybersecqwen.core.terms import ids_in, terms
from cybersecqwen.core.text import words
from cybersecqwen.knowledge.choice import answer_choice
from cybersecqwen.knowledge.extract import answer
from cybersecqwen.knowledge.index import (
    ARRAYS,
    BM25,
    NAMES,
    PASSAGES,
    Manifest,
    Names,
    read_manifest,
)
from cybersecqwen.knowledge.passages import page_of

# What a passage gains, as shares of the best BM25 score, when the question names its page; half
# of it when it names the entry the passage is about. An id leaves no doubt; a name may be an
# ordinary word. The page's head, its description, gains a little more.
_ID_SHARE = 1.0
_NAME_SHARE = 0.25
_HEAD_SHARE = 0.5
_LONGEST_NAME = 16  # words


class KnowledgeBase:
    """An index, opened by memory map.

    Args:
        folder: What ``build`` made.

    Raises:
        InputError: The folder is no knowledge index, or a damaged one.
    """

    def __init__(self, folder: Path) -> None:
        self.manifest: Manifest = read_manifest(folder)
        try:
            self._bm25 = bm25s.BM25.load(folder / BM25, mmap=True)
            offsets, pages, about = (np.load(folder / f"{a}.npy", mmap_mode="r") for a in ARRAYS)
            self._texts = np.memmap(folder / PASSAGES, np.uint8, "r")
            self._names = msgspec.json.decode((folder / NAMES).read_bytes(), type=Names)
        except (OSError, EOFError, ValueError) as error:
            raise InputError(f"{folder}: damaged knowledge index: {error}") from error
        self._offsets: NDArray[np.int64] = offsets  # (N + 1,)
        self._pages: NDArray[np.int32] = pages  # (N,)
        self._about: NDArray[np.int32] = about  # (N,)

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
        page = self._page_numbers.get(name)
        if page is None:
            return []
        return [self.passage(int(place)) for place in np.flatnonzero(self._pages == page)]

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

    def relevance(self, query: str) -> NDArray[np.float32]:
        """Return every passage's score (N,): BM25, and a share of the best for what is named."""
        scores = self.bm25(terms(query))
        unit = float(scores.max(initial=0.0)) or 1.0
        shares = dict.fromkeys(self.named(query), _NAME_SHARE)
        for name in ids_in(query):
            shares |= dict.fromkeys([name, *self._names.replaced_by.get(name, ())], _ID_SHARE)
        for name, share in shares.items():
            page = self._page_numbers.get(name)
            if page is not None:
                places = np.flatnonzero(self._pages == page)
                scores[places] += share * unit
                scores[places[:1]] += _HEAD_SHARE * share * unit
                scores[self._about == page] += share * unit / 2
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

    def page_maximum(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return, for every passage, the highest of its page's scores (N,)."""
        highest = np.maximum.reduceat(scores, self._page_starts)
        lengths = np.diff(self._page_starts, append=len(scores))
        spread: NDArray[np.float32] = np.repeat(highest, lengths)
        return spread

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
