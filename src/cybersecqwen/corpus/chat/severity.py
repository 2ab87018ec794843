"""CVSS v3 vectors read out: what each metric means, and which of them matters most.

The wording is ours; the names of metrics and values are FIRST's (``core.cvss_metrics``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cybersecqwen.core.cvss import base_score, canonical_vector
from cybersecqwen.core.cvss_metrics import METRIC_NAMES, rating
from cybersecqwen.core.records import CvssVector, LabelSource

_MILDEST = {"AV": "P", "AC": "H", "PR": "H", "UI": "R", "S": "U", "C": "N", "I": "N", "A": "N"}
_WORST = {"AV": "N", "AC": "L", "PR": "N", "UI": "N", "S": "C", "C": "H", "I": "H", "A": "H"}
_REACH = {
    "N": "over the network",
    "A": "from the same local network",
    "L": "locally on the machine",
    "P": "only by touching the device",
}
_ACCOUNT = {"N": "without an account", "L": "with an ordinary account", "H": "with high privileges"}
_HELP = {"N": "and nobody has to help", "R": "and a user has to be brought to do something"}
_EFFECT = {
    "C": {"H": "read everything that the component holds", "L": "read some of the data"},
    "I": {"H": "change any data or behaviour", "L": "change some data, without choosing what"},
    "A": {"H": "take the component down altogether", "L": "slow it down or interrupt it at times"},
}
SCORERS: dict[LabelSource, str] = {"nvd": "NVD", "cna": "the CNA", "adp": "CISA"}


@dataclass(frozen=True, slots=True)
class Severity:
    """A complete v3 base vector and what follows from it.

    Attributes:
        vector: In FIRST's order, as version 3.1.
        source: Who scored it.
    """

    vector: str
    source: LabelSource

    @property
    def values(self) -> dict[str, str]:
        """Each metric's value by its abbreviation."""
        return dict(part.split(":") for part in self.vector.split("/")[1:])

    @property
    def score(self) -> float:
        """The base score, 0.0 to 10.0."""
        return base_score(self.vector)

    @property
    def rating(self) -> str:
        """FIRST's word for the score."""
        return rating(self.score).capitalize()

    def with_value(self, metric: str, value: str) -> Severity:
        """Return the severity that another value of one metric would give."""
        values = {**self.values, metric: value}
        return Severity(
            "CVSS:3.1/" + "/".join(f"{m}:{values[m]}" for m in METRIC_NAMES), self.source
        )

    def reach(self) -> str:
        """Say from where, with which account and with whose help it is attacked."""
        v = self.values
        return f"{_REACH[v['AV']]}, {_ACCOUNT[v['PR']]}, {_HELP[v['UI']]}"

    def effects(self) -> list[str]:
        """Say what an attacker can do, one piece for each of C, I and A that is not None."""
        return [_EFFECT[m][self.values[m]] for m in "CIA" if self.values[m] != "N"]

    def untouched(self) -> list[str]:
        """Return the names of those of C, I and A that are None, in lower case."""
        return [METRIC_NAMES[m].lower() for m in "CIA" if self.values[m] == "N"]

    def raising(self) -> tuple[str, Severity] | None:
        """Return the one metric whose worst value would raise the score most, and the result."""
        return self._mover([(m, self.with_value(m, w)) for m, w in _WORST.items()], 1)

    def lowering(self) -> tuple[str, Severity] | None:
        """Return the one metric whose mildest value would lower the score most, and the result."""
        return self._mover([(m, self.with_value(m, w)) for m, w in _MILDEST.items()], -1)

    def _mover(self, changed: list[tuple[str, Severity]], sign: int) -> tuple[str, Severity] | None:
        """Return the change that moves the score furthest, unless another does as much."""
        changed.sort(key=lambda entry: -sign * entry[1].score)
        best, second = changed[0], changed[1]
        moves = sign * (best[1].score - self.score) > 0
        return best if moves and best[1].score != second[1].score else None


def severity_of(vectors: Iterable[CvssVector]) -> Severity | None:
    """Return the first complete v3 base vector, NVD's before the CNA's before CISA's."""
    order: dict[str, int] = {"nvd": 0, "cna": 1, "adp": 2}
    known = [vector for vector in vectors if vector.source in order]
    for vector in sorted(known, key=lambda v: order[v.source]):
        if vector.version.startswith("3") and (whole := canonical_vector(vector.vector)):
            return Severity(whole, vector.source)
    return None
