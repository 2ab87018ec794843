"""How alike a text's words are to what is known of each ATT&CK technique.

A technique is one document: its name, its description and some sentences on it. Rare techniques,
of which a network has seen little, still have words of their own.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cybersecqwen.core.errors import ModelError
from cybersecqwen.core.packed_arrays import packed_arrays
from cybersecqwen.core.term_weights import WORDS_FILE, TermWeights


class TechniqueWords:
    """Words of C techniques.

    Args:
        content: Of ``words.npz``: ``terms``, the CRC-32 of V terms, ascending, ``idf`` (V,), and
            by term, between ``starts`` (V + 1,), ``techniques`` and ``weights``.
        techniques: C.

    Raises:
        ModelError: It is no such file.
    """

    def __init__(self, content: bytes, techniques: int) -> None:
        try:
            arrays = packed_arrays(content)
            self._weigh = TermWeights(arrays["terms"], arrays["idf"].astype(np.float64))
            self._starts = arrays["starts"]
            self._techniques = arrays["techniques"]
            self._weights = arrays["weights"].astype(np.float64)
        except (KeyError, ValueError) as error:
            raise ModelError(f"{WORDS_FILE} cannot be read: {error}") from error
        if len(self._techniques) and int(self._techniques.max()) >= techniques:
            raise ModelError(f"{WORDS_FILE} does not fit the model's {techniques} techniques")
        self._count = techniques

    def likeness(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Return the cosine of each of N rendered texts and each technique, (N, C), 0 to 1."""
        found = np.zeros((len(texts), self._count))
        for row, text in zip(found, texts, strict=True):
            places, weights = self._weigh(text)
            for place, weight in zip(places, weights, strict=True):
                part = slice(self._starts[place], self._starts[place + 1])
                row[self._techniques[part]] += weight * self._weights[part]
        return found
