"""The row of output that a prediction becomes."""

from __future__ import annotations

import msgspec

from cybersecqwen.core.records import Candidate, CwePrediction
from cybersecqwen.core.taxonomy import Taxonomy

_DIGITS = 6
"""Decimal places of a probability: more says nothing, and single precision has no more."""


class NamedCwe(msgspec.Struct, frozen=True):
    """An id, MITRE's name for it and its probability (0 to 1)."""

    cwe: str
    name: str
    probability: float


class MapRow(msgspec.Struct, frozen=True):
    """What ``map`` writes of one record.

    Attributes:
        id: The record's id.
        cwe: The answer; when the model abstains, its best guess.
        name: MITRE's name of it.
        confidence: Calibrated probability (0 to 1) of ``cwe``.
        candidates: Likeliest ids, best first.
        abstained: Whether ``confidence`` is under the threshold.
        backoff: On abstention, the most specific ancestor that is sure enough, if there is one.
        model: Name and version of the model.
    """

    id: str
    cwe: str
    name: str
    confidence: float
    candidates: tuple[NamedCwe, ...]
    abstained: bool
    backoff: NamedCwe | None
    model: str


class ExplainedRow(MapRow, frozen=True):
    """A row with why, in a language model's words."""

    reason: str = ""


class RowMaker:
    """Turns predictions into rows.

    Args:
        taxonomy: Where names come from.
        model: Name and version of the model.
    """

    def __init__(self, taxonomy: Taxonomy, model: str) -> None:
        self._taxonomy = taxonomy
        self._model = model

    def row(self, record_id: str, prediction: CwePrediction) -> MapRow:
        """Return the row of one record; a surrogate in its id, which no UTF-8 has, is spelt out."""
        row = MapRow(
            id=record_id.encode("utf-8", "backslashreplace").decode("utf-8"),
            cwe=prediction.cwe,
            name=self._taxonomy.name(prediction.cwe),
            confidence=round(prediction.confidence, _DIGITS),
            candidates=tuple(map(self._named, prediction.candidates)),
            abstained=prediction.abstained,
            backoff=self._named(prediction.backoff) if prediction.backoff else None,
            model=self._model,
        )
        if not prediction.reason:
            return row
        return ExplainedRow(**msgspec.structs.asdict(row), reason=prediction.reason)

    def _named(self, candidate: Candidate) -> NamedCwe:
        name = self._taxonomy.name(candidate.cwe)
        return NamedCwe(candidate.cwe, name, round(candidate.probability, _DIGITS))
