"""Fitting the words of techniques; see ``core.technique_words``."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cybersecqwen.core.technique_words import terms

_LEAST_TEXTS = 2  # that a term stands in


def fit_words(texts: Sequence[str], numbers: NDArray[np.int64], techniques: int) -> bytes:
    """Return the content of ``words.npz``.

    Args:
        texts: N rendered sentences.
        numbers: The technique of each, (N,).
        techniques: C.
    """
    counted = [terms(text) for text in texts]
    held: Counter[int] = Counter()
    for found in counted:
        held.update(found.keys())
    kept = np.array(sorted(term for term, texts in held.items() if texts >= _LEAST_TEXTS), np.int64)
    place = {term: index for index, term in enumerate(kept.tolist())}
    idf = np.log((1 + len(texts)) / (1 + np.array([held[term] for term in place], np.float64))) + 1
    sums: list[dict[int, float]] = [{} for _ in range(techniques)]
    for found, number in zip(counted, numbers.tolist(), strict=True):
        known = [(place[term], times) for term, times in found.items() if term in place]
        weights = [(1 + np.log(times)) * idf[index] for index, times in known]
        length = float(np.linalg.norm(weights)) if weights else 1.0
        into = sums[number]
        for (index, _), weight in zip(known, weights, strict=True):
            into[index] = into.get(index, 0.0) + float(weight) / length
    rows, columns, values = [], [], []
    for number, found_weights in enumerate(sums):
        length = float(np.linalg.norm(list(found_weights.values()))) if found_weights else 1.0
        for index, value in found_weights.items():
            rows.append(index)
            columns.append(number)
            values.append(value / length)
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
