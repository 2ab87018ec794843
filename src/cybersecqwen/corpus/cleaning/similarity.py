"""Which texts are copies of others: by words, by shared word n-grams, by TF-IDF cosine.

Words are those of ``cybersecqwen.core.text.clean.words``. Six measures, each from 0 to 1:

``text``
    1 where the text has the item's words from beginning to end, or exactly those.
``excerpt``
    1 where, the other way round, the item has the text's words and more besides.
``digits``
    1 where the two texts have the same words once every run of numbers is one number, so that
    ``10.2`` and ``9.1.3`` are the same.
``ngram``
    The share of the item's distinct word n-grams that the text holds too, as GPT-3's authors and
    many since have measured overlap (Brown et al., 2020, appendix C, there with 13 words). An
    item shorter than n words is one n-gram of its own length.

    (For ``text`` and ``excerpt``, the shorter of the two needs at least n words, unless they are
    the same.)
``cosine``
    Cosine of TF-IDF vectors over words and word pairs, term frequencies damped by a logarithm
    (Salton and Buckley, 1988). Inverse document frequencies are those of the indexed items alone,
    so that the score of two texts depends on no third text outside the index: a text that a build
    lets pass is the same text to a later check.
``words``
    The same over words alone, in any order: it finds sentences that changed places.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.feature_extraction import FeatureHasher
from sklearn.feature_extraction.text import TfidfTransformer

from cybersecqwen.core.text.clean import words
from cybersecqwen.corpus.records.recipe import NearDuplicate
from cybersecqwen.corpus.records.rows import Measure

_FEATURES = 1 << 22
"""Columns that words and pairs are hashed into: few enough to hold, enough to rarely collide."""

_COMMON_SHARE = 0.01
"""Features that more than this share of the items have are summed only for likely pairs."""

_ROUNDING = 1e-9

_NUMBERS = re.compile(r"\d+(?: \d+)*")

_Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Block:
    """Texts made ready for any number of indexes; build it with ``prepare``.

    Attributes:
        words: Each text's words, N lists.
        ngrams: Each text's word n-grams, joined by spaces, N sets.
        words_counted: Hashed counts of words, sparse (N, features).
        pairs_counted: Hashed counts of words and word pairs, sparse (N, features).
    """

    words: list[list[str]]
    ngrams: list[set[str]]
    words_counted: Any
    pairs_counted: Any


@dataclass(frozen=True)
class Pairs:
    """Pairs of a text and an item that one measure finds alike, P of them.

    Attributes:
        texts: (P,) places in the block.
        items: (P,) places in the index.
        scores: (P,) from 0 to 1.
    """

    texts: _Ints
    items: _Ints
    scores: NDArray[np.float64]

    @classmethod
    def of(cls, places: Collection[tuple[int, int]]) -> Pairs:
        """Return pairs of (text, item) places that are alike without question, at a score of 1."""
        table = np.array(sorted(places), dtype=np.int64).reshape(-1, 2)
        return cls(table[:, 0], table[:, 1], np.ones(len(table)))

    def best_by_text(self) -> dict[int, tuple[int, float]]:
        """Return, per text that has a pair, its best item (the first of equals) and the score.

        Scores are rounded to four digits.
        """
        order = np.lexsort((self.items, -self.scores, self.texts))
        texts, first = np.unique(self.texts[order], return_index=True)
        chosen = order[first]
        scores = (round(score, 4) for score in self.scores[chosen].tolist())
        items = zip(self.items[chosen].tolist(), scores, strict=True)
        return dict(zip(texts.tolist(), items, strict=True))

    def turned(self) -> Pairs:
        """Return the same pairs with texts and items in each other's place."""
        return Pairs(self.items, self.texts, self.scores)


def masked(text: str) -> str:
    """Return the key under which texts meet that the measure ``digits`` takes for the same."""
    return _mask(words(text))


def _mask(tokens: Sequence[str]) -> str:
    return _NUMBERS.sub("0", " ".join(tokens))


def prepare(texts: Sequence[str], ngram: int) -> Block:
    """Tokenise, cut into n-grams and count a block of texts (some thousands at a time)."""
    tokens = [words(text) for text in texts]
    hasher = FeatureHasher(_FEATURES, input_type="string", alternate_sign=False)
    pairs = ([*text, *map(" ".join, pairwise(text))] for text in tokens)
    return Block(
        words=tokens,
        ngrams=[_ngrams(text, ngram) for text in tokens],
        words_counted=hasher.transform(tokens),
        pairs_counted=hasher.transform(pairs),
    )


def _ngrams(tokens: Sequence[str], size: int) -> set[str]:
    return {" ".join(tokens[start : start + size]) for start in range(len(tokens) - size + 1)}


class SimilarityIndex:
    """Texts to be recognised again, wherever they turn up.

    Args:
        items: At least one text.
        limits: From where on two texts count as alike.
    """

    def __init__(self, items: Sequence[str], limits: NearDuplicate) -> None:
        block = prepare(items, limits.ngram)
        self._limits = limits
        self._joined = [" ".join(tokens) for tokens in block.words]
        self._by_text = _places(self._joined)
        self._by_mask = _places([_mask(tokens) for tokens in block.words])
        self._build_ngrams(block)
        self._cosine = _CosineIndex(block.pairs_counted, limits.cosine)
        self._words = _CosineIndex(block.words_counted, limits.cosine)

    def match(self, block: Block) -> dict[Measure, Pairs]:
        """Return the pairs of a block's texts and the items that each measure finds alike."""
        shared = self._shared_ngrams(block)
        text, excerpt = self._word_for_word(block, shared)
        return {
            "text": text,
            "excerpt": excerpt,
            "digits": Pairs.of(_same([_mask(t) for t in block.words], self._by_mask)),
            "ngram": self._contained(shared),
            "cosine": self._cosine.match(block.pairs_counted),
            "words": self._words.match(block.words_counted),
        }

    def _build_ngrams(self, block: Block) -> None:
        size = self._limits.ngram
        self._column: dict[str, int] = {}
        self._short_sizes: set[int] = set()
        lists = []
        for tokens, grams in zip(block.words, block.ngrams, strict=True):
            pieces = grams or ({" ".join(tokens)} if tokens else set())
            if 0 < len(tokens) < size:
                self._short_sizes.add(len(tokens))
            # Sorted, because the order of a set of strings changes from run to run.
            columns = [self._column.setdefault(g, len(self._column)) for g in sorted(pieces)]
            lists.append(columns)
        self._pieces = np.array([len(columns) for columns in lists])
        self._grams_t = _binary(lists, len(self._column)).T.tocsr()

    def _shared_ngrams(self, block: Block) -> Any:
        """Return how many distinct n-grams each text shares with each item, sparse (N, items)."""
        lists = []
        for tokens, grams in zip(block.words, block.ngrams, strict=True):
            found = {self._column[gram] for gram in grams if gram in self._column}
            for size in self._short_sizes:
                short = _ngrams(tokens, size)
                found.update(self._column[gram] for gram in short if gram in self._column)
            lists.append(sorted(found))
        return (_binary(lists, len(self._column)) @ self._grams_t).tocoo()

    def _contained(self, shared: Any) -> Pairs:
        share = shared.data / self._pieces[shared.col]
        hit = share >= self._limits.containment - _ROUNDING
        return _pairs(shared.row[hit], shared.col[hit], share[hit])

    def _word_for_word(self, block: Block, shared: Any) -> tuple[Pairs, Pairs]:
        """Return the pairs whose text holds the item's words, and those the other way round."""
        joined = [" ".join(tokens) for tokens in block.words]
        texts, excerpts = _same(joined, self._by_text), set()
        # Only a text that shares all n-grams of the shorter one can hold it, or be held by it.
        sizes = np.array([len(grams) for grams in block.ngrams])
        whole = (shared.data == self._pieces[shared.col]) | (shared.data == sizes[shared.row])
        for text, item in zip(shared.row[whole].tolist(), shared.col[whole].tolist(), strict=True):
            mine, theirs = joined[text], self._joined[item]
            if self._holds(mine, theirs):
                texts.add((text, item))
            elif self._holds(theirs, mine):
                excerpts.add((text, item))
        return Pairs.of(texts), Pairs.of(excerpts)

    def _holds(self, longer: str, shorter: str) -> bool:
        enough = shorter.count(" ") + 1 >= self._limits.ngram
        return enough and f" {shorter} " in f" {longer} "


class _CosineIndex:
    """The items' TF-IDF vectors.

    Args:
        counts: Hashed counts, sparse (items, features).
        limit: Least cosine of two texts that are alike.
    """

    def __init__(self, counts: Any, limit: float) -> None:
        self._limit = limit - _ROUNDING
        self._tfidf = TfidfTransformer(sublinear_tf=True)
        weights = self._tfidf.fit_transform(counts)
        holders = np.bincount(weights.indices, minlength=_FEATURES)
        common = holders > max(_COMMON_SHARE * weights.shape[0], 10)
        self._rare = _Columns(np.flatnonzero((holders > 0) & ~common))
        self._common = _Columns(np.flatnonzero(common))
        self._items_common = self._common.select(weights)
        self._items_rare_t = self._rare.select(weights).T.tocsr()
        self._items_common_t = self._items_common.T.tocsr()
        self._common_norms = _norms(self._items_common)

    def match(self, counts: Any) -> Pairs:
        """Return pairs at or above the cosine limit, exactly.

        A few words that every text has would make the product of the two matrices dense, so it
        is taken over the rare features first. By Cauchy and Schwarz the common ones can add no
        more than the product of their norms: pairs that cannot reach the limit even so are left.
        """
        weights = self._tfidf.transform(counts)
        rare, common = self._rare.select(weights), self._common.select(weights)
        norms = _norms(common)
        # Texts so full of common words that these alone might do: no short cut for them.
        full = np.flatnonzero(norms * self._common_norms.max(initial=0.0) >= self._limit)
        product = (rare[full] @ self._items_rare_t + common[full] @ self._items_common_t).tocoo()
        hit = product.data >= self._limit
        parts = [(full[product.row[hit]], product.col[hit], product.data[hit])]

        product = (rare @ self._items_rare_t).tocoo()
        bound = product.data + norms[product.row] * self._common_norms[product.col]
        likely = (bound >= self._limit) & ~np.isin(product.row, full)
        texts, items, scores = product.row[likely], product.col[likely], product.data[likely]
        for start in range(0, len(texts), 1 << 16):
            piece = slice(start, start + (1 << 16))
            both = common[texts[piece]].multiply(self._items_common[items[piece]])
            score = scores[piece] + np.asarray(both.sum(axis=1)).ravel()
            hit = score >= self._limit
            parts.append((texts[piece][hit], items[piece][hit], score[hit]))
        return _pairs(*(np.concatenate(column) for column in zip(*parts, strict=True)))


class _Columns:
    """A choice of a sparse matrix's columns, made quickly for many matrices."""

    def __init__(self, chosen: _Ints) -> None:
        self._place = np.full(_FEATURES, -1, dtype=np.int32)
        self._place[chosen] = np.arange(len(chosen), dtype=np.int32)
        self._width = len(chosen)

    def select(self, matrix: Any) -> Any:
        place = self._place[matrix.indices]
        kept = place >= 0
        ends = np.concatenate([[0], np.cumsum(kept)])[matrix.indptr]
        return csr_matrix((matrix.data[kept], place[kept], ends), (matrix.shape[0], self._width))


def _places(keys: Sequence[str]) -> dict[str, list[int]]:
    places: dict[str, list[int]] = {}
    for place, key in enumerate(keys):
        if key:
            places.setdefault(key, []).append(place)
    return places


def _same(keys: Sequence[str], places: Mapping[str, Sequence[int]]) -> set[tuple[int, int]]:
    return {(text, item) for text, key in enumerate(keys) for item in places.get(key, ())}


def _binary(lists: Sequence[Sequence[int]], width: int) -> Any:
    ends = np.concatenate([[0], np.cumsum([len(columns) for columns in lists], dtype=np.int64)])
    columns = np.fromiter((c for columns in lists for c in columns), np.int64, count=ends[-1])
    return csr_matrix((np.ones(len(columns), np.int32), columns, ends), (len(lists), width))


def _norms(matrix: Any) -> NDArray[np.float64]:
    squares = np.asarray(matrix.multiply(matrix).sum(axis=1), dtype=np.float64)
    return np.sqrt(squares).ravel()


def _pairs(texts: Any, items: Any, scores: Any) -> Pairs:
    return Pairs(
        np.asarray(texts, dtype=np.int64),
        np.asarray(items, dtype=np.int64),
        np.minimum(np.asarray(scores, dtype=np.float64), 1.0),
    )
