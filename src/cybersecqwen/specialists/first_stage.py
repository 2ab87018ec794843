"""A cascade: a quick model answers the texts it is sure of, and the graph the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cybersecqwen.core.ngrams import NgramClassifier
from cybersecqwen.specialists.encode import TokenIds
from cybersecqwen.specialists.model import ModelFolder
from cybersecqwen.specialists.network import Network, PendingLogits

Scores = NDArray[np.float64]
"""Logits over their model's temperature, shape (N, C): their softmax is the probability."""


@dataclass(frozen=True, slots=True)
class PendingScores:
    """Scores of a window of texts, on their way.

    Attributes:
        scores: (N, C), right already where the first stage was sure.
        others: Places of the other texts.
        logits: Theirs-to-be; None where there are no others.
        temperature: What to divide those by.
    """

    scores: Scores
    others: NDArray[np.int64]
    logits: PendingLogits | None
    temperature: float

    def result(self) -> Scores:
        """Wait for and return all scores, in the order of the texts."""
        if self.logits is not None:
            self.scores[self.others] = self.logits.result() / self.temperature
        return self.scores


class Cascade:
    """A model folder's graph, behind its first stage where it has one.

    Which of the two answers a text depends on that text alone.

    Args:
        folder: The model.
        vocabulary: Token ids that its tokenizer can give.
        threads: Batches that the graph runs at once; None for one a core, 16 at most.

    Raises:
        ModelError: A part cannot be loaded, or does not fit the configuration.
    """

    def __init__(self, folder: ModelFolder, vocabulary: int, threads: int | None = None) -> None:
        self._config = folder.config
        shape = (len(self._config.labellers), len(self._config.labels))
        self._network = Network(folder.graph, shape, threads)
        self._quick = (
            None
            if folder.first_stage is None
            else NgramClassifier.load(folder.first_stage, vocabulary, shape)
        )

    def submit(self, texts: Sequence[TokenIds], labeller: int) -> PendingScores:
        """Start on a window of at least one text; ``labeller`` is its place on the L axis."""
        scores, others = self._begin(texts, labeller)
        logits = (
            self._network.submit([texts[place] for place in others], labeller)
            if len(others)
            else None
        )
        return PendingScores(scores, others, logits, self._temperature(labeller))

    def run(self, text: TokenIds, labeller: int) -> Scores:
        """Return the scores of one text, shape (1, C), computed on the calling thread."""
        scores, others = self._begin([text], labeller)
        if len(others):
            scores[:] = self._network.run(text, labeller) / self._temperature(labeller)
        return scores

    def _temperature(self, labeller: int) -> float:
        return self._config.temperature[self._config.labellers[labeller]]

    def _begin(self, texts: Sequence[TokenIds], labeller: int) -> tuple[Scores, NDArray[np.int64]]:
        """Return the first stage's scores, and the places of the texts it is not sure of."""
        exits = self._config.first_stage
        if self._quick is None or exits is None:
            return np.empty((len(texts), len(self._config.labels))), np.arange(len(texts))
        name = self._config.labellers[labeller]
        scores = self._quick.logits(texts, labeller) / exits.temperature[name]
        # The likeliest id's probability, without normalising the rest.
        confidence = 1 / np.exp(scores - scores.max(axis=1, keepdims=True)).sum(axis=1)
        return scores, np.flatnonzero(~(confidence >= exits.exit[name]))
