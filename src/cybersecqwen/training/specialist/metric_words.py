"""Fitting what words say of CVSS metrics; see ``core.metric_words``."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.linear_model import SGDClassifier

from cybersecqwen.core.term_weights import TermWeights, terms
from cybersecqwen.training.specialist.rows import NO_LABEL

_LEAST_TEXTS = 8  # that hold a term
_UNKNOWN = -6.0  # log-odds of a value that no text was given
_SMALL = 1 / 127  # of the greatest weight: what int8 cannot tell from nothing


def fit_metric_words(
    texts: Sequence[str],
    labels: NDArray[np.int64],
    sizes: Sequence[int],
    *,
    most: int = 50000,
    seed: int = 0,
) -> bytes:
    """Return the content of ``words.npz``.

    Args:
        texts: N rendered descriptions.
        labels: Numbers of the values that each was given, (N, Q), ``NO_LABEL`` where none.
        sizes: Values of each of the Q questions.
        most: Terms to keep, those that weigh most.
        seed: Order in which texts are seen.
    """
    counted = [terms(text) for text in texts]
    holders: Counter[int] = Counter()
    for found in counted:
        holders.update(found.keys())
    kept = np.array(sorted(t for t, times in holders.items() if times >= _LEAST_TEXTS), np.int64)
    held = np.array([holders[term] for term in kept.tolist()], np.float64)
    idf = np.log((1 + len(texts)) / (1 + held)) + 1
    features = _features(counted, kept, idf)
    weights, bias = _fit(features, labels, sizes, seed)
    # A term weighs as much as it adds to the answers of all texts that hold it.
    weight = np.abs(weights).max(1) * np.sqrt(held)
    chosen = np.sort(np.argsort(-weight, kind="stable")[:most])
    scales = np.maximum(np.abs(weights[chosen]).max(0, initial=0.0), 1e-6) * _SMALL
    stream = io.BytesIO()
    np.savez_compressed(
        stream,
        terms=kept[chosen].astype(np.uint32),
        idf=idf[chosen].astype(np.float16),
        weights=np.round(weights[chosen] / scales).astype(np.int8),
        scales=scales.astype(np.float32),
        bias=bias.astype(np.float32),
    )
    return stream.getvalue()


def _features(
    counted: Sequence[Counter[int]], kept: NDArray[np.int64], idf: NDArray[np.float64]
) -> sparse.csr_matrix:
    """Return TF-IDF of the kept terms, (N, V), each row of length 1."""
    weigh = TermWeights(kept.astype(np.uint32), idf)
    places, weights = zip(*map(weigh.of, counted), strict=True)
    starts = np.cumsum([0, *map(len, places)])
    return sparse.csr_matrix(
        (np.concatenate(weights), np.concatenate(places), starts), (len(counted), len(kept))
    )


def _fit(
    features: sparse.csr_matrix, labels: NDArray[np.int64], sizes: Sequence[int], seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return weights (V, A) and bias (A,), one logistic model a value, one against the rest."""
    weights = np.zeros((features.shape[1], sum(sizes)))
    bias = np.full(sum(sizes), _UNKNOWN)
    start = 0
    for question, size in zip(labels.T, sizes, strict=True):
        rows = question != NO_LABEL
        values = np.unique(question[rows])
        if len(values) == 1:
            bias[start + values[0]] = -_UNKNOWN
        elif len(values) > 1:
            model = SGDClassifier(
                loss="log_loss", alpha=3e-6, max_iter=6, tol=None, average=True, random_state=seed
            ).fit(features[rows], question[rows])
            both = len(values) == 2
            odds = np.concatenate((-model.coef_, model.coef_)) if both else model.coef_
            weights[:, start + values] = odds.T
            least = model.intercept_
            bias[start + values] = np.concatenate((-least, least)) if both else least
        start += size
    return weights, bias
