"""The words of a text that speak most for an answer, from what each token adds to it."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cybersecqwen.core.text.record import shown_word

_WORD = re.compile(r"\w+(?:[./'-]\w+)*")
_MOST = 3
_LEAST_SHARE = 0.25
_EMPTY_WORDS = frozenset(
    [
        "a",
        "an",
        "and",
        "are",
        "as",
        "at",
        "be",
        "by",
        "can",
        "for",
        "from",
        "has",
        "have",
        "in",
        "into",
        "is",
        "it",
        "its",
        "of",
        "on",
        "or",
        "that",
        "the",
        "this",
        "to",
        "via",
        "was",
        "were",
        "which",
        "with",
        "could",
        "may",
        "might",
        "when",
        "where",
        "before",
        "after",
        "through",
        "url",
        "0",
    ]
)


def telling_words(
    text: str, spans: Sequence[tuple[int, int]], added: NDArray[np.float32], columns: int
) -> list[tuple[str, ...]]:
    """Return, for each of M answers, the words that add most to it, in the text's order.

    A word that adds less than a quarter of what the strongest one does is left out, as are words
    without a meaning of their own.

    Args:
        text: As the model read it.
        spans: Where each token stands in it.
        added: What each token adds to each answer, (T, M); tokens past its end were not read.
        columns: M.
    """
    words = list(_WORD.finditer(text))
    if not words:
        return [()] * columns
    starts = np.array([word.start() for word in words])
    places = np.asarray(spans[: len(added)], np.int64).reshape(-1, 2)  # (T, 2)
    owners = np.searchsorted(starts, places[:, 0], side="right") - 1
    # Special tokens stand nowhere, and what stands before the first word is of none.
    told = np.flatnonzero((places[:, 1] > places[:, 0]) & (owners >= 0))
    sums = np.zeros((len(words), columns))
    if told.size:
        # Tokens come in the text's order, so that those of one word stand together.
        firsts = np.flatnonzero(np.diff(owners[told], prepend=-1))
        sums[owners[told[firsts]]] = np.add.reduceat(added[told], firsts, axis=0, dtype=np.float64)
    sums[[word[0].lower() in _EMPTY_WORDS for word in words]] = 0
    best = np.argsort(-sums, axis=0, kind="stable")[:_MOST]  # (3, M)
    found = []
    for column, most in zip(
        best.T.tolist(), np.take_along_axis(sums, best, 0).T.tolist(), strict=True
    ):
        least = max(0.0, _LEAST_SHARE * most[0])
        kept = sorted(place for place, size in zip(column, most, strict=True) if size > least)
        found.append(tuple(dict.fromkeys(shown_word(words[place][0]) for place in kept)))
    return found
