"""A linear classifier over a text's tokens and pairs of neighbouring tokens, in numpy alone.

The model is fastText's (Joulin, Grave, Bojanowski, Mikolov: Bag of Tricks for Efficient Text
Classification, EACL 2017): a row of a table for each token and, by hashing, for each pair of
tokens; their sum, divided by the square root of their count; a linear layer.

Table and layer hold integers, so the sums are exact: a text's logits do not depend, to the last
bit, on the texts beside it.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from io import BytesIO
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from cybersecqwen.core.errors import ModelError

_LOW = 0xFFFFFFFF


def pair_hash(left: Any, right: Any, bits: int) -> Any:
    """Return a number of ``bits`` bits, 1 to 32, for each pair of token ids.

    Args:
        left: Integers under 2^31, int64: a NumPy array or a PyTorch tensor.
        right: As ``left``, of the same shape.
        bits: Size of the result.
    """
    # Multiply, shift and mix within 32 bits, with the odd constants of the xxHash32 specification.
    mixed = ((left * 0x9E3779B1) ^ (right * 0x85EBCA77)) & _LOW
    mixed = ((mixed ^ (mixed >> 15)) * 0xC2B2AE3D) & _LOW
    mixed = ((mixed ^ (mixed >> 13)) * 0x27D4EB2F) & _LOW
    return mixed >> (32 - bits)


@dataclass(frozen=True, slots=True)
class NgramClassifier:
    """The model; text i's logits are ``(sum @ head) * scale / sqrt(count) + bias``.

    Attributes:
        table: (V + 2^bits, D) int8: a row per token id, then one per hash of a pair.
        head: (L, D, C) int16.
        scale: (L, C) float32, what a unit of ``sum @ head`` is worth.
        bias: (L, C) float32.
        tokens: (1,) int64, V.
    """

    table: NDArray[np.int8]
    head: NDArray[np.int16]
    scale: NDArray[np.float32]
    bias: NDArray[np.float32]
    tokens: NDArray[np.int64]

    def logits(self, texts: Sequence[NDArray[np.int64]], labeller: int) -> NDArray[np.float64]:
        """Return the logits of texts' token ids, shape (N, C); ``labeller`` is a place in L."""
        counts = np.array([len(ids) for ids in texts], dtype=np.int64)
        flat = np.concatenate(texts) if len(texts) else np.zeros(0, np.int64)
        ends = np.cumsum(counts)
        following = np.zeros_like(flat)
        following[:-1] = flat[1:]
        following[ends[counts > 0] - 1] = 0  # what pads a text, in training
        vocabulary = int(self.tokens[0])
        bits = (len(self.table) - vocabulary).bit_length() - 1
        rows = np.stack([flat, vocabulary + pair_hash(flat, following, bits)], axis=1).ravel()
        sums = np.empty((len(texts), self.table.shape[1]), dtype=np.float64)
        for row, (end, count) in enumerate(zip(ends.tolist(), counts.tolist(), strict=True)):
            chosen = self.table[rows[2 * (end - count) : 2 * end]]  # (2 T, D)
            sums[row] = chosen.sum(axis=0, dtype=np.int32)
        # Whole numbers under 2^53 all the way: double precision adds them exactly, in any order.
        scores: NDArray[np.float64] = sums @ self.head[labeller].astype(np.float64)
        scores *= self.scale[labeller]
        scores /= np.sqrt(np.maximum(2 * counts, 1))[:, None]
        scores += self.bias[labeller]
        return scores

    def save(self, stream: IO[bytes]) -> None:
        """Write the model as ``.npz``; the same model always gives the same bytes."""
        np.savez(stream, **asdict(self))

    @classmethod
    def load(cls, content: bytes, vocabulary: int, shape: tuple[int, int]) -> NgramClassifier:
        """Read what ``save`` wrote.

        Args:
            content: Of the file.
            vocabulary: Token ids that the tokenizer can give.
            shape: Labellers and labels, (L, C), that the model must have.

        Raises:
            ModelError: It is something else, or does not fit the tokenizer or the shape.
        """
        try:
            with np.load(BytesIO(content), allow_pickle=False) as arrays:
                model = cls(**arrays)
        except (OSError, EOFError, ValueError, TypeError, zipfile.BadZipFile) as error:
            raise ModelError(f"the first stage cannot be read: {error}") from error
        kinds = tuple(value.dtype.name for value in asdict(model).values())
        if kinds != ("int8", "int16", "float32", "float32", "int64"):
            raise ModelError(f"the first stage holds arrays of {', '.join(kinds)}")
        hashes = len(model.table) - vocabulary
        labellers, labels = shape
        if (
            model.tokens.tolist() != [vocabulary]
            or hashes < 2
            or hashes & (hashes - 1)
            or model.table.ndim != 2
            or model.head.shape != (labellers, model.table.shape[1], labels)
            or not model.scale.shape == model.bias.shape == shape
        ):
            raise ModelError("the first stage does not fit the tokenizer and the labels")
        return model
