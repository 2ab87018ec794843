"""Which records become questions: recent and rare ones sooner, none like another."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Sequence

from cybersecqwen.core.rows import CorpusRow
from cybersecqwen.core.text.clean import clean
from cybersecqwen.corpus.chat.recipe import Draw
from cybersecqwen.corpus.cleaning.similarity import SimilarityIndex, prepare
from cybersecqwen.corpus.records.recipe import NearDuplicate

_ROWS_AT_ONCE = 4096


def ordered(
    rows: Sequence[CorpusRow], draw: Draw, label: Callable[[CorpusRow], str], seed: str
) -> list[CorpusRow]:
    """Return the rows of the wanted years in an order drawn by weight, without replacement.

    A row's key is a hash of its id to the power of 1 over its weight; the greatest come first
    (Efraimidis and Spirakis, 2006). The same id gets the same key whatever the other rows are,
    but for the balance of labels.

    Args:
        rows: Labelled rows.
        draw: Weights.
        label: A row's main label.
        seed: Changes every key.
    """
    first, last = draw.years
    wanted = [row for row in rows if row.year is not None and first <= row.year <= last]
    counts = Counter(map(label, wanted))
    newest = max((row.year or 0 for row in wanted), default=0)

    def key(row: CorpusRow) -> float:
        weight = math.exp(-draw.balance * math.log(counts[label(row)]))
        if draw.half_life:
            weight *= math.exp2(-(newest - (row.year or 0)) / draw.half_life)
        return math.log(fraction(f"{seed} {row.id}")) / weight

    return sorted(wanted, key=key, reverse=True)


def fraction(name: str) -> float:
    """Return a number above 0 and up to 1 that depends on a name alone."""
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    return (int.from_bytes(digest) + 1) / 2**64


def distinct(rows: Sequence[CorpusRow], limits: NearDuplicate) -> list[CorpusRow]:
    """Return the rows of which no earlier one is a near-duplicate, in order.

    Memory grows with the rows: some 30 KB each.
    """
    if not rows:
        return []
    texts = [clean(row.text) for row in rows]
    index = SimilarityIndex(texts, limits)
    like: dict[int, set[int]] = {}
    for start in range(0, len(texts), _ROWS_AT_ONCE):
        found = index.match(prepare(texts[start : start + _ROWS_AT_ONCE], limits.ngram))
        for pairs in found.values():
            for text, item in zip(pairs.texts.tolist(), pairs.items.tolist(), strict=True):
                if item != start + text:
                    like.setdefault(start + text, set()).add(item)
                    like.setdefault(item, set()).add(start + text)
    kept: set[int] = set()
    for place in range(len(rows)):
        if kept.isdisjoint(like.get(place, ())):
            kept.add(place)
    return [row for place, row in enumerate(rows) if place in kept]
