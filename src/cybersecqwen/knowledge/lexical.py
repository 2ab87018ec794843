"""BM25 over short texts: sparse arrays that numpy opens by memory map, without other libraries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_K1, _B = 1.2, 0.75
_FILES = ("starts", "texts", "weights")


@dataclass(frozen=True)
class TermIndex:
    """What each term adds to the BM25 score of each text (Lucene's variant).

    Attributes:
        starts: Where each term's texts begin in ``texts`` (terms + 1,).
        texts: Numbers of the texts that hold a term, term after term (occurrences,).
        weights: What the term adds to that text's score (occurrences,).
        size: Number of texts.
    """

    starts: NDArray[np.int32]
    texts: NDArray[np.unsignedinteger]
    weights: NDArray[np.float16]
    size: int

    @classmethod
    def build(cls, rows: Sequence[Sequence[int]], vocabulary: int) -> TermIndex:
        """Index texts, each the numbers (0 to ``vocabulary``, not included) of its terms."""
        lengths = np.array([len(row) for row in rows])
        flat = np.fromiter((term for row in rows for term in row), np.int64, int(lengths.sum()))
        keys = flat * len(rows) + np.repeat(np.arange(len(rows)), lengths)
        unique, counts = np.unique(keys, return_counts=True)
        terms, texts = np.divmod(unique, len(rows))
        frequency = np.bincount(terms, minlength=vocabulary)
        norm = _K1 * (1 - _B + _B * lengths / max(float(lengths.mean()), 1e-9))
        weights = _idf(frequency, len(rows))[terms] * counts / (counts + norm[texts])
        starts = np.zeros(vocabulary + 1, np.int32)
        np.cumsum(frequency, out=starts[1:])
        number = np.min_scalar_type(max(1, len(rows) - 1))
        return cls(starts, texts.astype(number), weights.astype(np.float16), len(rows))

    @classmethod
    def load(cls, folder: Path, name: str, size: int) -> TermIndex:
        """Open what ``save`` wrote, by memory map."""
        starts, texts, weights = (
            # As plain arrays: a slice of a mapped one costs as much again.
            np.asarray(np.load(folder / f"{name}_{part}.npy", mmap_mode="r"))
            for part in _FILES
        )
        return cls(starts, texts, weights, size)

    def save(self, folder: Path, name: str) -> None:
        """Write the index into a folder as three files whose names begin with ``name``."""
        arrays: tuple[NDArray[Any], ...] = (self.starts, self.texts, self.weights)
        for part, array in zip(_FILES, arrays, strict=True):
            np.save(folder / f"{name}_{part}.npy", array)

    def scores(self, terms: Sequence[int]) -> NDArray[np.float32]:
        """Return every text's score (size,); a term that comes twice counts twice."""
        total = np.zeros(self.size, np.float32)
        for term in terms:
            start, end = self.starts[term], self.starts[term + 1]
            total[self.texts[start:end]] += self.weights[start:end]
        return total

    def holding(self, term: int) -> NDArray[np.intp]:
        """Return the numbers of the texts that hold a term, rising."""
        return self.texts[self.starts[term] : self.starts[term + 1]].astype(np.intp)

    def idf(self, terms: Sequence[int]) -> NDArray[np.float64]:
        """Return each term's inverse document frequency, the most it adds to a score."""
        numbers = np.array(terms, np.int64)
        frequency = self.starts[numbers + 1].astype(float) - self.starts[numbers]
        return _idf(frequency, self.size)


class Vocabulary:
    """The numbers of terms: a sorted array of bytes, searched in place.

    Args:
        terms: Distinct terms as ASCII bytes, sorted (terms,).
    """

    LONGEST = 32
    """Bytes; longer terms (keys, hashes) are not indexed."""

    def __init__(self, terms: NDArray[np.bytes_]) -> None:
        self._terms = terms

    def __len__(self) -> int:
        return len(self._terms)

    def __contains__(self, term: str) -> bool:
        return self.number(term) is not None

    def number(self, term: str) -> int | None:
        """Return a term's number, or None for one that no text holds."""
        key = term.encode()
        if len(key) > self.LONGEST:
            return None
        place = int(np.searchsorted(self._terms, np.bytes_(key)))
        return place if place < len(self._terms) and self._terms[place] == key else None

    def numbers(self, terms: Sequence[str]) -> list[int]:
        """Return the numbers of those terms that some text holds, in order."""
        found = (self.number(term) for term in terms)
        return [number for number in found if number is not None]


def _idf(frequency: NDArray[np.generic], size: int) -> NDArray[np.float64]:
    spread = frequency.astype(np.float64)
    idf: NDArray[np.float64] = np.log1p((size - spread + 0.5) / (spread + 0.5))
    return idf
