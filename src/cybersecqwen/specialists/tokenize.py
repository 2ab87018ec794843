"""Text to token ids."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from cybersecqwen.core.errors import ModelError

TokenIds = NDArray[np.int64]
"""Token ids of one text, shape (T,), special tokens included."""


class Encoder:
    """A tokenizer that cuts at a length and does not pad.

    Args:
        definition: Content of a ``tokenizer.json``.
        max_tokens: Longest result, special tokens included.

    Raises:
        ModelError: The definition is no tokenizer.
    """

    def __init__(self, definition: bytes, max_tokens: int) -> None:
        try:
            self._tokenizer = Tokenizer.from_buffer(definition)
        except Exception as error:  # the Rust side raises bare exceptions
            raise ModelError(f"the tokenizer cannot be read: {error}") from error
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_tokens)

    def encode(self, texts: Sequence[str]) -> list[TokenIds]:
        """Return the token ids of rendered texts (see ``core.text.render``)."""
        encodings = self._tokenizer.encode_batch_fast(list(texts))
        return [np.array(encoding.ids, dtype=np.int64) for encoding in encodings]
