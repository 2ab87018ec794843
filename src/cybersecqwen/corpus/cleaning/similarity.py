"""Which texts are copies of others: by words, by shared word n-grams, by TF-IDF cosine.

Words are those of ``cybersecqwen.core.text.clean.words`` once letters that look like Latin ones are
those, accents and tags of formatting are gone. Six measures, each from 0 to 1:

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
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cybersecqwen.core.errors import require_extra
from cybersecqwen.core.text.clean import words
from cybersecqwen.corpus.records.recipe import NearDuplicate
from cybersecqwen.corpus.records.rows import Measure

_FEATURES = 1 << 22
"""Columns that words and pairs are hashed into: few enough to hold, enough to rarely collide."""

_ROUNDING = 1e-9

_LOOK_ALIKES = str.maketrans(
    "авекмнорстухіјѕһԁԛԝАВЕКМНОРСТУХІЈЅԌαβεηικμνορτυχΑΒΕΖΗΙΚΜΝΟΡΤΥΧ",
    "abekmhopctyxijshdqwABEKMHOPCTYXIJSGabenikmvoptuxABEZHIKMNOPTYX",
)
"""Cyrillic and Greek letters that are taken for Latin ones, after Unicode's confusables
(https://www.unicode.org/reports/tr39/)."""

_FORMATTING = re.compile(
    r"(?i)</?(?:a|b|br|code|div|em|font|i|li|ol|p|span|strong|sub|sup|tt|u|ul)(?:\s[^<>]*)?/?>"
)

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
    return _mask(_words(text))


def _words(text: str) -> list[str]:
    """Return the words that a text is read as, whichever letters and tags it is written with."""
    if "<" in text:
        text = _FORMATTING.sub(" ", text)
    if not text.isascii():
        parts = unicodedata.normalize("NFKD", text.translate(_LOOK_ALIKES))
        text = "".join(part for part in parts if not unicodedata.combining(part))
    return words(text)


def _mask(tokens: Sequence[str]) -> str:
    return _NUMBERS.sub("0", " ".join(tokens))


def prepare(texts: Sequence[str], ngram: int) -> Block:
    """Tokenise, cut into n-grams and count a block of texts (some thousands at a time).

    Raises:
        MissingExtraError: The ``corpus`` extra is not installed.
    """
    # Heavy, in an extra, and needed by nothing that only reads corpora.
    require_extra("corpus", "scipy", "sklearn", "sparse_dot_topn")
    from sklearn.feature_extraction import FeatureHasher  # noqa: PLC0415

    tokens = [_words(text) for text in texts]
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
        from sklearn.feature_extraction.text import TfidfTransformer  # noqa: PLC0415

        self._limit = limit - _ROUNDING
        self._tfidf = TfidfTransformer(sublinear_tf=True)
        self._items_t = self._tfidf.fit_transform(counts).T.tocsr()

    def match(self, counts: Any) -> Pairs:
        """Return pairs at or above the cosine limit, exactly.

        A few words that every text has would make the whole product of the two matrices dense;
        this product keeps, row by row, only what reaches the limit.
        """
        from sparse_dot_topn import sp_matmul_topn  # noqa: PLC0415

        product = sp_matmul_topn(
            self._tfidf.transform(counts),
            self._items_t,
            top_n=self._items_t.shape[1],
            threshold=self._limit,
        ).tocoo()
        # The library keeps what is above a threshold or on it, whichever way it rounds.
        hit = product.data >= self._limit
        return _pairs(product.row[hit], product.col[hit], product.data[hit])


def _places(keys: Sequence[str]) -> dict[str, list[int]]:
    places: dict[str, list[int]] = {}
    for place, key in enumerate(keys):
        if key:
            places.setdefault(key, []).append(place)
    return places


def _same(keys: Sequence[str], places: Mapping[str, Sequence[int]]) -> set[tuple[int, int]]:
    return {(text, item) for text, key in enumerate(keys) for item in places.get(key, ())}


def _binary(lists: Sequence[Sequence[int]], width: int) -> Any:
    from scipy.sparse import csr_matrix  # noqa: PLC0415

    ends = np.concatenate([[0], np.cumsum([len(columns) for columns in lists], dtype=np.int64)])
    columns = np.fromiter((c for columns in lists for c in columns), np.int64, count=ends[-1])
    return csr_matrix((np.ones(len(columns), np.int32), columns, ends), (len(lists), width))


def _pairs(texts: Any, items: Any, scores: Any) -> Pairs:
    return Pairs(
        np.asarray(texts, dtype=np.int64),
        np.asarray(items, dtype=np.int64),
        np.minimum(np.asarray(scores, dtype=np.float64), 1.0),
    )
