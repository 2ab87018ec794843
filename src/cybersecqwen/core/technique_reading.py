"""How what a technique specialist reads becomes an answer: what its training fits."""

from __future__ import annotations

import msgspec

LEAST_SHARE = 1e-9
"""Added to shares before their logarithm is taken."""

UNSEEN = 3.0
"""Sentences that every technique is taken to have had besides its own."""


class ReportReading(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How what a report's parts tell becomes a main technique's probability: a logistic model.

    Attributes:
        sentence: Weight of the log-odds that the sentence which tells most of it gives it.
        clause: Likewise of the clause or sentence.
        whole: Weight of the log-odds that the report, read at once, tells of it among others.
        each: Likewise of the sentence that tells most.
        bias: Added to all.
        threshold: Probability from which on a technique is said of a report.
    """

    sentence: float = 0.0
    clause: float = 1.0
    whole: float = 0.0
    each: float = 0.0
    bias: float = 0.0
    threshold: float = 0.4

    @property
    def weights(self) -> tuple[float, float, float, float]:
        """Weights of the four log-odds, in the order of the attributes."""
        return self.sentence, self.clause, self.whole, self.each


class ScenarioReading(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How a text of several sentences on one technique is read.

    Attributes:
        words: How much the likeness of its words to a technique's adds to its logit.
        rarity: How much the logarithm of a technique's sentences takes off it: scenarios that are
            asked about are of rare techniques more often than the sentences of reports.
        temperature: What the sum is divided by.
    """

    words: float
    rarity: float
    temperature: float
