"""When no id is sure enough: the most specific ancestor that is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cybersecqwen.core.records import Candidate
from cybersecqwen.core.taxonomy import Taxonomy, Weakness


class Backoff:
    """Sums probabilities up the CWE graph (research view, CWE-1000).

    An ancestor can be answered if MITRE does not prohibit mapping to it and it is neither a
    pillar nor a category. Members of view 1003, the ids that NVD maps to, come first; among
    equals the deepest wins, then the likeliest.

    Args:
        labels: The ids a model knows, C of them.
        taxonomy: The catalogue.
    """

    def __init__(self, labels: Sequence[str], taxonomy: Taxonomy) -> None:
        columns: dict[str, list[int]] = {}
        for place, label in enumerate(labels):
            for cwe in taxonomy.ancestors(label) | {label}:
                columns.setdefault(cwe, []).append(place)
        entries = [e for cwe in columns if (e := taxonomy.get(cwe)) and _may_be_answered(e)]
        rank = {e.id: (e.in_1003, taxonomy.depth(e.id)) for e in entries}
        self._ids = sorted(rank, key=lambda cwe: (rank[cwe], cwe))
        levels = {value: level for level, value in enumerate(sorted(set(rank.values())), start=1)}
        self._level = np.array([levels[rank[cwe]] for cwe in self._ids])  # (A,), higher is better
        self._covers = np.zeros((len(labels), len(self._ids)))  # (C, A)
        for column, cwe in enumerate(self._ids):
            self._covers[columns[cwe], column] = 1

    def find(self, probabilities: NDArray[np.float64], threshold: float) -> list[Candidate | None]:
        """Return for each text the best ancestor that is sure enough, or None.

        Args:
            probabilities: Shape (B, C), each row adding up to 1.
            threshold: What an ancestor's summed probability must reach.
        """
        if not self._ids:
            return [None] * len(probabilities)
        mass = np.minimum(probabilities @ self._covers, 1.0)  # (B, A)
        # Levels are whole numbers, so half the mass only decides between equals.
        merit = np.where(mass >= threshold, self._level + mass / 2, 0.0)  # (B, A)
        best = merit.argmax(axis=1)  # (B,)
        return [
            Candidate(self._ids[column], float(mass[row, column])) if merit[row, column] else None
            for row, column in enumerate(best)
        ]


def _may_be_answered(entry: Weakness) -> bool:
    return (
        entry.usage != "prohibited"
        and not entry.deprecated
        and entry.kind in {"class", "base", "variant", "compound"}
    )
