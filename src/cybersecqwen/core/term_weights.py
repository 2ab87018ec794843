"""Words and pairs of neighbouring words of a text, weighted by how rare they are.

TF-IDF (Salton and Buckley, 1988), the logarithm of the counts, at unit length: what the linear
models beside the networks read.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

WORDS_FILE = "words.npz"

_WORD = re.compile(r"\w(?:[\w.+#/-]*\w)?")


def terms(text: str) -> Counter[int]:
    """Return how often each word and each pair of neighbouring words occurs, by its CRC-32."""
    found = _WORD.findall(text.lower())
    pairs = [f"{first} {second}" for first, second in pairwise(found)]
    return Counter(zlib.crc32(term.encode()) for term in (*found, *pairs))


class TermWeights:
    """Finds which of V known terms a text has, and what each weighs.

    Args:
        known: CRC-32 of the terms, ascending, (V,).
        idf: Logarithm of how rare each is, (V,), floating-point: the precision of the weights.
    """

    def __init__(self, known: NDArray[np.uint32], idf: NDArray[Any]) -> None:
        self._known = known
        self._idf = idf

    def __call__(self, text: str) -> tuple[NDArray[np.intp], NDArray[Any]]:
        """Return the places of a rendered text's N known terms and their weights, both (N,)."""
        return self.of(terms(text))

    def of(self, counted: Mapping[int, int]) -> tuple[NDArray[np.intp], NDArray[Any]]:
        """Return the same of what ``terms`` has counted."""
        keys = np.fromiter(counted, np.uint32, len(counted))
        times = np.fromiter(counted.values(), self._idf.dtype, len(counted))
        places = np.searchsorted(self._known, keys)
        known = places < len(self._known)
        known[known] = self._known[places[known]] == keys[known]
        places = places[known]
        weights = (1 + np.log(times[known])) * self._idf[places]
        weights /= np.linalg.norm(weights) or 1.0
        return places, weights
