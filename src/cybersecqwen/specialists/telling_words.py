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
    sums = np.zeros((len(words), columns))
    places = np.asarray(spans[: len(added)], np.int64).reshape(-1, 2)  # (T, 2)
    owners = np.searchsorted(starts, places[:, 0], side="right") - 1
    # Special tokens stand nowhere, and what stands before the first word is of none.
    told = (places[:, 1] > places[:, 0]) & (owners >= 0)
    np.add.at(sums, owners[told], added[: len(places)][told])
    for place, word in enumerate(words):
        if word[0].lower() in _EMPTY_WORDS:
            sums[place] = 0
    found = []
    for column in sums.T:
        best = np.argsort(-column, kind="stable")[:_MOST]
        kept = sorted(p for p in best if column[p] > max(0.0, _LEAST_SHARE * column[best[0]]))
        found.append(tuple(dict.fromkeys(shown_word(words[p][0]) for p in kept)))
    return found
