"""Fitting the words of techniques; see ``core.technique_words``."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence

import numpy as np

from cybersecqwen.core.term_weights import TermWeights, terms

_LEAST_TIMES = 2  # that a term is used


def fit_words(documents: Sequence[Sequence[str]]) -> bytes:
    """Return the content of ``words.npz``.

    Args:
        documents: What is known of each of C techniques, as rendered texts.
    """
    counted: list[Counter[int]] = []
    used: Counter[int] = Counter()
    holders: Counter[int] = Counter()
    for texts in documents:
        found: Counter[int] = Counter()
        for text in texts:
            found.update(terms(text))
        counted.append(found)
        used.update(found)
        holders.update(found.keys())
    kept = np.array(sorted(t for t, times in used.items() if times >= _LEAST_TIMES), np.int64)
    held = np.array([holders[term] for term in kept.tolist()], np.float64)
    idf = np.log((1 + len(documents)) / (1 + held)) + 1
    weigh = TermWeights(kept.astype(np.uint32), idf)
    places, weights = zip(*map(weigh.of, counted), strict=True)
    rows, values = np.concatenate(places), np.concatenate(weights)
    columns = np.repeat(np.arange(len(counted)), [len(found) for found in places])
    order = np.lexsort((columns, rows))
    starts = np.searchsorted(rows[order], np.arange(len(kept) + 1))
    stream = io.BytesIO()
    np.savez_compressed(
        stream,
        terms=kept.astype(np.uint32),
        idf=idf.astype(np.float32),
        starts=starts.astype(np.int32),
        techniques=columns.astype(np.uint16)[order],
        weights=values.astype(np.float16)[order],
    )
    return stream.getvalue()
