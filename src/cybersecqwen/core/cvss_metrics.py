"""The base metrics of CVSS, and what a severity model is asked: each of them, for each scorer.

A scorer's practice is its own: NVD's and the CNAs' scores of one CVE differ by more than a point
on average. CVSS 4.0 is known from CNAs alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from cybersecqwen.core.records import LabelSource

SCORERS: Final[tuple[LabelSource, ...]] = ("nvd", "cna", "adp")

METRIC_NAMES: Final = {
    "AV": "Attack Vector",
    "AC": "Attack Complexity",
    "PR": "Privileges Required",
    "UI": "User Interaction",
    "S": "Scope",
    "C": "Confidentiality",
    "I": "Integrity",
    "A": "Availability",
}
"""Base metrics of version 3.1 by abbreviation, in FIRST's order (its sections 2.1 to 2.3)."""

_IMPACT: Final = {"N": "None", "L": "Low", "H": "High"}

VALUE_NAMES: Final[dict[str, dict[str, str]]] = {
    "AV": {"N": "Network", "A": "Adjacent", "L": "Local", "P": "Physical"},
    "AC": {"L": "Low", "H": "High"},
    "PR": {"N": "None", "L": "Low", "H": "High"},
    "UI": {"N": "None", "R": "Required"},
    "S": {"U": "Unchanged", "C": "Changed"},
    "C": _IMPACT,
    "I": _IMPACT,
    "A": _IMPACT,
}
"""Values of each of these metrics by abbreviation, in FIRST's order."""

METRICS_V3: Final = {metric: "".join(values) for metric, values in VALUE_NAMES.items()}
"""Base metrics of version 3.1 and the letters of their values, in FIRST's order."""

METRIC_NAMES_V4: Final = {
    "AV": "Attack Vector",
    "AC": "Attack Complexity",
    "AT": "Attack Requirements",
    "PR": "Privileges Required",
    "UI": "User Interaction",
    "VC": "Vulnerable System Confidentiality",
    "VI": "Vulnerable System Integrity",
    "VA": "Vulnerable System Availability",
    "SC": "Subsequent System Confidentiality",
    "SI": "Subsequent System Integrity",
    "SA": "Subsequent System Availability",
}
"""Base metrics of version 4.0 by abbreviation, in FIRST's order (its sections 2.1 to 2.3)."""

VALUE_NAMES_V4: Final[dict[str, dict[str, str]]] = {
    **{metric: VALUE_NAMES[metric] for metric in ("AV", "AC", "PR")},
    "AT": {"N": "None", "P": "Present"},
    "UI": {"N": "None", "P": "Passive", "A": "Active"},
    **dict.fromkeys(list(METRIC_NAMES_V4)[5:], _IMPACT),
}
"""Values of each of these metrics by abbreviation, in FIRST's order."""

METRICS_V4: Final = {metric: "".join(VALUE_NAMES_V4[metric]) for metric in METRIC_NAMES_V4}
"""Base metrics of version 4.0 and the letters of their values, in FIRST's order."""

_PAIR = re.compile(r"\b([A-Z]{1,2}):([A-Z])\b")


@dataclass(frozen=True, slots=True)
class MetricQuestion:
    """One metric as one scorer would answer it.

    Attributes:
        version: ``3.1`` or ``4.0``.
        metric: Its short name, such as ``AV``.
        values: Its possible values, a letter each.
        scorer: Whose practice.
    """

    version: str
    metric: str
    values: str
    scorer: LabelSource

    @property
    def size(self) -> int:
        """How many values there are."""
        return len(self.values)


QUESTIONS: Final = (
    *(MetricQuestion("3.1", m, values, s) for s in SCORERS for m, values in METRICS_V3.items()),
    *(MetricQuestion("4.0", m, values, "cna") for m, values in METRICS_V4.items()),
)
"""Every question, in the order of a model's answers."""

_PLACES: Final = {(q.version, q.metric, q.scorer): place for place, q in enumerate(QUESTIONS)}


def answer_numbers(vector: str, scorer: LabelSource) -> Iterator[tuple[int, int]]:
    """Yield the place of each question that a scorer's vector answers, and the answer's number.

    A value that the metric does not have is passed over, as are optional metrics.
    """
    version = "4.0" if vector.startswith("CVSS:4") else "3.1"
    for metric, value in _PAIR.findall(vector.upper()):
        place = _PLACES.get((version, metric, scorer))
        if place is not None and value in QUESTIONS[place].values:
            yield place, QUESTIONS[place].values.index(value)


@dataclass(frozen=True, slots=True)
class MetricPrediction:
    """What a model says of one metric.

    Attributes:
        value: The letter of its value, such as ``N``.
        probability: Calibrated, 0 to 1.
        because: The words of the text that speak most for it, in the text's order.
    """

    value: str
    probability: float
    because: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CvssPrediction:
    """A CVSS vector as a scorer would give it.

    Attributes:
        vector: Vector in FIRST's form.
        score: Base score, 0 to 10, computed from the vector.
        severity: ``none``, ``low``, ``medium``, ``high`` or ``critical``.
        version: ``3.1`` or ``4.0``.
        scorer: Whose practice it follows.
        probability: Probability of the whole vector, 0 to 1.
        metrics: Predictions by metric's short name, in FIRST's order.
    """

    vector: str
    score: float
    severity: str
    version: str
    scorer: LabelSource
    probability: float
    metrics: dict[str, MetricPrediction]


def rating(score: float) -> str:
    """Return FIRST's qualitative severity of a score (CVSS v3.1 section 5, v4.0 section 6)."""
    for name, least in (("critical", 9.0), ("high", 7.0), ("medium", 4.0), ("low", 0.1)):
        if score >= least:
            return name
    return "none"
