"""Which pages say two words close together: an index of unordered pairs within a short window.

Two rare words of a question that stand together on a page too say more than each alone. Pairs are
hashed into a fixed number of buckets, so that no vocabulary has to be kept or loaded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_WINDOW = 4  # words, the pair's own two included
_BUCKETS = 1 << 21
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # Knuth's multiplicative hashing
_SHIFT = np.uint64(64 - 21)
_K1, _B = 1.2, 0.4  # as in BM25; a pair counts once a page

_GROUP = 64  # buckets whose pages are found together, so that not each start need be kept

_FILES = ("pair_counts", "pair_groups", "pair_pages", "pair_lengths")


@dataclass(frozen=True)
class PairIndex:
    """Pages by pair.

    Attributes:
        counts: How many pages each bucket has (buckets,).
        groups: Where the pages of each ``_GROUP`` buckets begin in ``pages`` (groups,).
        pages: Page numbers, bucket after bucket (pairs,).
        lengths: What a pair is worth on each page: less on a long one (pages,).
    """

    counts: NDArray[np.uint16]
    groups: NDArray[np.int32]
    pages: NDArray[Any]
    lengths: NDArray[np.float32]

    @classmethod
    def build(cls, pages: Iterable[Sequence[Sequence[int]]]) -> PairIndex:
        """Index pages, each a list of passages, each the numbers of its terms in order."""
        found = [np.unique(np.concatenate([_pairs(passage) for passage in page])) for page in pages]
        counts = np.array([len(buckets) for buckets in found])
        number = np.repeat(np.arange(len(found), dtype=np.min_scalar_type(len(found))), counts)
        buckets = np.concatenate(found)
        order = np.argsort(buckets, kind="stable")
        sizes = np.bincount(buckets, minlength=_BUCKETS)
        groups = np.zeros(_BUCKETS // _GROUP, np.int32)
        np.cumsum(sizes.reshape(-1, _GROUP).sum(axis=1)[:-1], out=groups[1:])
        lengths = 1 / (1 + _K1 * (1 - _B + _B * counts / max(float(counts.mean()), 1.0)))
        return cls(sizes.astype(np.uint16), groups, number[order], lengths.astype(np.float32))

    @classmethod
    def load(cls, folder: Path) -> PairIndex:
        """Open what ``save`` wrote, by memory map."""
        return cls(*(np.asarray(np.load(folder / f"{name}.npy", mmap_mode="r")) for name in _FILES))

    def save(self, folder: Path) -> None:
        """Write the index into a folder."""
        arrays: tuple[NDArray[Any], ...] = (self.counts, self.groups, self.pages, self.lengths)
        for name, array in zip(_FILES, arrays, strict=True):
            np.save(folder / f"{name}.npy", array)

    def scores(self, terms: Sequence[int]) -> NDArray[np.float32]:
        """Return every page's score (pages,) for the numbers of a question's terms, in order."""
        buckets = np.unique(_pairs(terms))
        counts = self.counts[buckets].astype(np.int64)
        firsts = np.array([self._first(int(bucket)) for bucket in buckets], np.int64)
        idf = np.log1p((len(self.lengths) - counts + 0.5) / (counts + 0.5))
        runs = [self.pages[first : first + n] for first, n in zip(firsts, counts, strict=True)]
        if not runs:
            return np.zeros(len(self.lengths), np.float32)
        totals = np.bincount(
            np.concatenate(runs), weights=np.repeat(idf, counts), minlength=len(self.lengths)
        )
        return totals.astype(np.float32) * self.lengths

    def _first(self, bucket: int) -> int:
        """Return where a bucket's pages begin."""
        group = bucket // _GROUP
        return int(self.groups[group]) + int(self.counts[group * _GROUP : bucket].sum())


def _pairs(terms: Sequence[int]) -> NDArray[np.int64]:
    """Return the buckets of the pairs of different terms that stand close together."""
    row = np.asarray(terms, np.uint64)
    near = [(row[:-step], row[step:]) for step in range(1, _WINDOW) if step < len(row)]
    if not near:
        return np.zeros(0, np.int64)
    left, right = (np.concatenate(side) for side in zip(*near, strict=True))
    different = left != right
    low = np.minimum(left, right)[different]
    high = np.maximum(left, right)[different]
    hashed: NDArray[np.uint64] = ((low << np.uint64(32)) | high) * _MULTIPLIER >> _SHIFT
    return hashed.astype(np.int64)
