"""What the words of a text say of CVSS metrics: linear models beside the network.

A network of one layer reads words and how they stand to each other; which pairs of neighbouring
words go with a value it knows less well than a linear model over them (``term_weights``) does. Each
value of a question has its own logistic model (one against the rest).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cybersecqwen.core.errors import ModelError
from cybersecqwen.core.packed_arrays import packed_arrays
from cybersecqwen.core.term_weights import WORDS_FILE, TermWeights


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
            known = arrays["terms"]
            self._weigh = TermWeights(known, arrays["idf"].astype(np.float32))
            self._weights = arrays["weights"]
            self._scales = arrays["scales"].astype(np.float32)
            self._bias = arrays["bias"].astype(np.float32)
        except (KeyError, ValueError) as error:
            raise ModelError(f"{WORDS_FILE} cannot be read: {error}") from error
        if self._weights.shape != (len(known), sum(sizes)):
            raise ModelError(f"{WORDS_FILE} does not fit the model's {sum(sizes)} answers")
        self._sizes = np.array(sizes)
        self._starts = np.cumsum(self._sizes) - self._sizes

    def log_probabilities(self, text: str) -> NDArray[np.float32]:
        """Return the logarithm of each value's probability, (A,), for a rendered text."""
        places, shares = self._weigh(text)
        odds = (shares @ self._weights[places]) * self._scales + self._bias
        said = -np.logaddexp(np.float32(0), -odds)
        total = np.logaddexp.reduceat(said, self._starts)
        found: NDArray[np.float32] = said - np.repeat(total, self._sizes)
        return found
