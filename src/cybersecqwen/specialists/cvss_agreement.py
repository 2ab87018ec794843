"""What a CVSS v4.0 vector may say beside a v3.1 vector of the same flaw."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cybersecqwen.core.cvss_metrics import METRICS_V4

AS_V3 = {"AT": "AC", "VC": "C", "VI": "I", "VA": "A", "SC": "S", "SI": "S", "SA": "S"}
"""Version 3 metrics that decide version 4 ones of another name."""

_V4_PLACES = {metric: place for place, metric in enumerate(METRICS_V4)}


def allowed_values(metric: str, values: str, v3: dict[str, str]) -> tuple[int, ...]:
    """Return the values of a version 4 metric that do not contradict a version 3 vector.

    Of the CNAs' records with both vectors (1,736), 95 % and more keep to each of these rules, but
    for interaction: two in three that require it in version 3 say None in version 4.

    Args:
        metric: Of version 4, such as ``VC``.
        values: Letters of its values.
        v3: Values of the version 3 vector by metric.
    """
    every = tuple(range(len(values)))
    if metric in ("AV", "PR"):
        return (values.index(v3[metric]),)
    if metric == "UI":
        return (0,) if v3["UI"] == "N" else (1, 2)
    if metric in ("AC", "AT") and v3["AC"] == "L":
        return (0,)
    if v3["S"] == "U" and metric[0] == "V":
        return (values.index(v3[metric[1]]),)
    if v3["S"] == "U" and metric[0] == "S":
        return (values.index("N"),)
    return every


def make_consistent(
    chosen: list[int], shares: Sequence[NDArray[np.float64]], v3: dict[str, str]
) -> None:
    """Change what two metrics of version 4 together contradict of a version 3 vector.

    A high complexity shows in AC or in AT, a changed scope in a subsequent system.

    Args:
        chosen: Number of each metric's value, in the order of ``METRICS_V4``.
        shares: Probabilities of each metric's values, likewise.
        v3: Values of the version 3 vector by metric.
    """
    complexity, requirements = _V4_PLACES["AC"], _V4_PLACES["AT"]
    if v3["AC"] == "H" and not chosen[complexity] and not chosen[requirements]:
        likelier = max((complexity, requirements), key=lambda place: shares[place][1])
        chosen[likelier] = 1
    subsequent = [_V4_PLACES[metric] for metric in ("SC", "SI", "SA")]
    if v3["S"] == "C" and all(METRICS_V4["SC"][chosen[place]] == "N" for place in subsequent):
        place = max(subsequent, key=lambda place: shares[place][1:].sum())
        chosen[place] = 1 + int(shares[place][1:].argmax())
