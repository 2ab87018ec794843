"""What the glossary says of the field's concepts, searched as the passages of an index are."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from cybersecqwen.core.records import Passage
from cybersecqwen.core.text.sentences import clauses
from cybersecqwen.core.text.terms import terms
from cybersecqwen.knowledge.concepts import field_concepts
from cybersecqwen.knowledge.lexical import TermIndex


class GlossaryIndex:
    """Sentences of the glossary on the field's concepts, each with the names of its own."""

    def __init__(self) -> None:
        rows: list[list[str]] = []
        self._passages: list[Passage] = []
        starts = []
        for concept in field_concepts():
            starts.append(len(rows))
            for sentence in clauses(f"{concept.text} {concept.more}".strip()):
                rows.append(terms(" ".join([concept.title, *concept.names, sentence])))
                whole = concept.passage
                self._passages.append(Passage(whole.id, whole.title, whole.kind, sentence))
        self._starts = np.array(starts)
        self._numbers = {term: n for n, term in enumerate(sorted({t for row in rows for t in row}))}
        numbered = [[self._numbers[term] for term in row] for row in rows]
        self._terms = TermIndex.build(numbered, len(self._numbers))

    def __len__(self) -> int:
        return len(self._passages)

    def passage(self, number: int) -> Passage:
        """Return a sentence as a passage, by its place."""
        return self._passages[number]

    def relevance(self, question: str) -> NDArray[np.float32]:
        """Return every sentence's BM25 score (N,)."""
        return self.term_scores(terms(question))

    def term_scores(self, wanted: Sequence[str]) -> NDArray[np.float32]:
        """Return every sentence's BM25 score (N,) for some terms."""
        return self._terms.scores(self._known(wanted))

    def page_maximum(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return, for every sentence, the highest of its concept's scores (N,)."""
        lengths = np.diff(self._starts, append=len(self))
        most: NDArray[np.float32] = np.repeat(np.maximum.reduceat(scores, self._starts), lengths)
        return most

    def idf(self, wanted: Sequence[str]) -> NDArray[np.float64]:
        """Return the inverse document frequency of each term, known or not."""
        rarest = np.log1p((len(self) + 0.5) / 0.5)
        known = self._terms.idf(self._known(wanted))
        return np.append(known, np.full(len(wanted) - len(known), rarest))

    def _known(self, wanted: Sequence[str]) -> list[int]:
        return [self._numbers[term] for term in wanted if term in self._numbers]


@lru_cache(maxsize=1)
def glossary_index() -> GlossaryIndex:
    """Return the glossary's index, made when it is first asked for."""
    return GlossaryIndex()
