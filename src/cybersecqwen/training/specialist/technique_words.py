"""Fitting the words of techniques; see ``core.technique_words``."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence

import numpy as np

from cybersecqwen.core.term_weights import terms

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
    place = {term: index for index, term in enumerate(kept.tolist())}
    held = np.array([holders[term] for term in place], np.float64)
    idf = np.log((1 + len(documents)) / (1 + held)) + 1
    rows, columns, values = [], [], []
    for number, found in enumerate(counted):
        known = [(place[term], times) for term, times in found.items() if term in place]
        weights = np.array([(1 + np.log(times)) * idf[index] for index, times in known])
        rows += [index for index, _ in known]
        columns += [number] * len(known)
        values += (weights / (np.linalg.norm(weights) or 1.0)).tolist()
    order = np.lexsort((columns, rows))
    starts = np.searchsorted(np.array(rows, np.int64)[order], np.arange(len(kept) + 1))
    stream = io.BytesIO()
    np.savez_compressed(
        stream,
        terms=kept.astype(np.uint32),
        idf=idf.astype(np.float32),
        starts=starts.astype(np.int32),
        techniques=np.array(columns, np.uint16)[order],
        weights=np.array(values, np.float16)[order],
    )
    return stream.getvalue()
