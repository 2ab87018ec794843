"""What the words of a text say of CVSS metrics: linear models beside the network.

A network of one layer reads words and how they stand to each other; which pairs of neighbouring
words go with a value it knows less well than a linear model over TF-IDF (Salton and Buckley, 1988)
does. Each value of a question has its own logistic model (one against the rest).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cybersecqwen.core.errors import ModelError
from cybersecqwen.core.packed_arrays import packed_arrays
from cybersecqwen.core.technique_words import WORDS_FILE, terms


class MetricWords:
    """Linear models of the values of Q questions, A values in all.

    Args:
        content: Of ``words.npz``: ``terms``, the CRC-32 of V terms, ascending, ``idf`` (V,),
            ``weights`` (V, A) int8, ``scales`` (A,), which they are multiplied by, and ``bias``
            (A,).
        sizes: Values of each question, (Q,).

    Raises:
        ModelError: It is no such file.
    """

    def __init__(self, content: bytes, sizes: Sequence[int]) -> None:
        try:
            arrays = packed_arrays(content)
            self._terms = arrays["terms"]
            self._idf = arrays["idf"].astype(np.float32)
            self._weights = arrays["weights"]
            self._scales = arrays["scales"].astype(np.float32)
            self._bias = arrays["bias"].astype(np.float32)
        except (KeyError, ValueError) as error:
            raise ModelError(f"{WORDS_FILE} cannot be read: {error}") from error
        if self._weights.shape != (len(self._terms), sum(sizes)):
            raise ModelError(f"{WORDS_FILE} does not fit the model's {sum(sizes)} answers")
        self._sizes = np.array(sizes)
        self._starts = np.cumsum(self._sizes) - self._sizes

    def log_probabilities(self, text: str) -> NDArray[np.float32]:
        """Return the logarithm of each value's probability, (A,), for a rendered text."""
        counted = terms(text)
        keys = np.fromiter(counted, np.uint32, len(counted))
        times = np.fromiter(counted.values(), np.float32, len(counted))
        places = np.searchsorted(self._terms, keys)
        known = places < len(self._terms)
        known[known] = self._terms[places[known]] == keys[known]
        places = places[known]
        shares = (1 + np.log(times[known])) * self._idf[places]
        shares /= np.linalg.norm(shares) or 1.0
        odds = (shares @ self._weights[places]) * self._scales + self._bias
        said = -np.logaddexp(np.float32(0), -odds)
        total = np.logaddexp.reduceat(said, self._starts)
        found: NDArray[np.float32] = said - np.repeat(total, self._sizes)
        return found
