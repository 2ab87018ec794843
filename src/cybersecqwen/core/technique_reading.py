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
        bias: Added to both.
        threshold: Probability from which on a technique is said of a report.
    """

    sentence: float = 0.0
    clause: float = 1.0
    bias: float = 0.0
    threshold: float = 0.4
