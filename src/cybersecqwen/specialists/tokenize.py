"""Text to token ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from cybersecqwen.core.errors import ModelError

TokenIds = NDArray[np.int64]
"""Token ids of one text, shape (T,), special tokens included."""

Spans = list[tuple[int, int]]
"""Where each token of a text stands in it, special tokens (nowhere: 0 to 0) included."""


class Encoder:
    """A tokenizer that reads texts whole and does not pad.

    Args:
        definition: Content of a ``tokenizer.json``.
        max_tokens: Longest piece that a text is cut into, special tokens included.

    Raises:
        ModelError: The definition is no tokenizer.
    """

    def __init__(self, definition: bytes, max_tokens: int) -> None:
        try:
            self._tokenizer = Tokenizer.from_buffer(definition)
        except Exception as error:  # the Rust side raises bare exceptions
            raise ModelError(f"the tokenizer cannot be read: {error}") from error
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._max_tokens = max_tokens

    def encode(self, texts: Sequence[str], *, leads: Sequence[int] = ()) -> Pieces:
        """Return the token ids of rendered texts (see ``core.text.record.render_record``).

        Args:
            texts: The texts.
            leads: So many tokens at the start of each text stand before each of its pieces too.
        """
        return self._pieces(self._tokenizer.encode_batch_fast(list(texts)), leads)

    def encode_with_spans(self, texts: Sequence[str]) -> tuple[Pieces, list[Spans]]:
        """Return what ``encode`` does, and where each text's tokens stand in it."""
        encodings = self._tokenizer.encode_batch(list(texts))
        return self._pieces(encodings), [encoding.offsets for encoding in encodings]

    def _pieces(self, encodings: Sequence[Encoding], leads: Sequence[int] = ()) -> Pieces:
        pieces: list[TokenIds] = []
        owners: list[int] = []
        starts: list[int] = []
        for place, encoding in enumerate(encodings):
            lead = leads[place] if leads else 0
            for start, cut in self._cut(np.array(encoding.ids, dtype=np.int64), lead):
                pieces.append(cut)
                owners.append(place)
                starts.append(start)
        return Pieces(pieces, np.array(owners, np.int64), len(encodings), starts)

    def _cut(self, ids: TokenIds, lead: int) -> list[tuple[int, TokenIds]]:
        """Cut a text that is too long into pieces that overlap by an eighth, each with its start.

        Special tokens stand around each piece and are not counted in where it starts.
        """
        if len(ids) <= self._max_tokens:
            return [(0, ids)]
        first, inner, last = ids[: 1 + lead], ids[1 + lead : -1], ids[-1:]
        room = self._max_tokens - len(first) - 1
        step = max(1, room - room // 8)
        starts = range(0, max(1, len(inner) - room + step), step)
        return [
            (at + lead if at else 0, np.concatenate((first, inner[at : at + room], last)))
            for at in starts
        ]


@dataclass(frozen=True, slots=True)
class Pieces:
    """Texts as token ids, in pieces that a model can read.

    Attributes:
        ids: P pieces.
        owners: Which text each is of, (P,), ascending.
        texts: Number of texts.
        starts: Of each piece, the tokens of its text before it, special ones not counted.
    """

    ids: list[TokenIds]
    owners: NDArray[np.int64]
    texts: int
    starts: list[int]

    def join(self, logits: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
        """Return the logits of whole texts, (N, C), from those of their pieces, (P, C).

        A long text's probabilities are the mean over its pieces, the surer ones weighing more: the
        piece that tells of the weakness outweighs those that tell nothing.
        """
        if len(self.ids) == self.texts:
            return logits
        joined = np.empty((self.texts, logits.shape[1]), np.float32)
        counts = np.bincount(self.owners, minlength=self.texts)
        first = np.cumsum(counts) - counts
        joined[:] = logits[first]
        for text in np.flatnonzero(counts > 1):
            part = logits[first[text] : first[text] + counts[text]].astype(np.float64) / temperature
            part -= part.max(1, keepdims=True)
            shares = np.exp(part)
            shares /= shares.sum(1, keepdims=True)  # (p, C)
            weights = np.exp(_SURER * shares.max(1))
            mixed = weights @ shares / weights.sum()
            joined[text] = temperature * np.log(np.maximum(mixed, 1e-12))
        return joined


_SURER = 12.0
"""How much more a piece weighs that is surer: by a factor of e for every twelfth of probability."""
