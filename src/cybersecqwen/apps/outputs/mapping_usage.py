"""MITRE's mapping usage: which ids may be proposed, and the nearest one that may."""

from __future__ import annotations

from collections.abc import Iterable

from cybersecqwen.core.records import Candidate, CwePrediction
from cybersecqwen.core.taxonomy import Taxonomy

_NOT_ALLOWED = frozenset({"discouraged", "prohibited"})


def is_allowed(taxonomy: Taxonomy, cwe: str) -> bool:
    """Whether MITRE allows mapping a vulnerability to an id, after a review if need be."""
    entry = taxonomy.get(cwe)
    return entry is not None and entry.usage not in _NOT_ALLOWED and not entry.deprecated


def nearest_allowed(taxonomy: Taxonomy, prediction: CwePrediction) -> Candidate:
    """Return the answer of a prediction, or the nearest id that may be used for mapping.

    Near is the fewest steps between parents and children in the research view (CWE-1000); among
    equals the likelier one by the prediction's candidates, then a more specific before a broader
    one, then the smaller number. The answer itself is returned where no allowed id is connected.
    """
    own = Candidate(prediction.cwe, prediction.confidence)
    if is_allowed(taxonomy, own.cwe):
        return own
    likely = {candidate.cwe: candidate.probability for candidate in prediction.candidates}
    seen = {own.cwe}
    ring = {own.cwe: 0}  # id to steps up less steps down, for the tie between broad and specific
    while ring:
        ring = dict(_next_ring(taxonomy, ring, seen))
        seen.update(ring)
        found = [cwe for cwe in ring if is_allowed(taxonomy, cwe)]
        if found:
            best = min(found, key=lambda cwe: (-likely.get(cwe, 0.0), ring[cwe], _number(cwe)))
            return Candidate(best, likely.get(best, 0.0))
    return own


def _next_ring(
    taxonomy: Taxonomy, ring: dict[str, int], seen: set[str]
) -> Iterable[tuple[str, int]]:
    for cwe, height in ring.items():
        entry = taxonomy.get(cwe)
        for parent in entry.parents if entry else ():
            if parent not in seen:
                yield parent, height + 1
        for child in taxonomy.children(cwe):
            if child not in seen:
                yield child, height - 1


def _number(cwe: str) -> int:
    return int(cwe.removeprefix("CWE-"))
