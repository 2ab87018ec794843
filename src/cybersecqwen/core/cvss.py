"""CVSS v3.1 base vectors and scores, as models write them and as FIRST's formula scores them.

The arithmetic is the ``cvss`` package's (Red Hat's implementation of FIRST's specification, CVSS
v3.1, section 7.1); here is only the tolerant reading.
"""

from __future__ import annotations

import re
from functools import lru_cache

from cvss import CVSS3, CVSS4

from cybersecqwen.core.cvss_metrics import METRICS_V3
from cybersecqwen.core.errors import InputError

MAX_DEVIATION = 10.0
"""The largest gap between two base scores; what an unreadable vector is charged."""

_PAIR = r"(?:AV|AC|PR|UI|[SCIA])\s*:\s*[A-Z]"
VECTOR_REGEX = rf"(?i)((?:CVSS:3(?:\.\d)?\s*/\s*)?\b{_PAIR}(?:\s*/\s*{_PAIR}){{7}})(?![A-Z])"
"""Eight base metrics joined by slashes, in any order, with or without the version in front."""

_SPLIT = re.compile(r"\s*[:/]\s*")


def canonical_vector(text: str) -> str | None:
    """Return the base vector that ``text`` is, with the metrics in FIRST's order.

    Case, spaces, the order of the metrics and a missing or 3.0 version are forgiven (the base
    equations of 3.0 and 3.1 are the same). Anything else gives None: a metric missing or named
    twice, or a value that the metric does not have.
    """
    match = re.fullmatch(VECTOR_REGEX, text.strip())
    if match is None:
        return None
    parts = _SPLIT.split(match[1].upper())
    if parts[0] == "CVSS":
        parts = parts[2:]
    values = dict(zip(parts[::2], parts[1::2], strict=True))
    if any(values.get(metric, "?") not in allowed for metric, allowed in METRICS_V3.items()):
        return None
    return "CVSS:3.1/" + "/".join(f"{metric}:{values[metric]}" for metric in METRICS_V3)


@lru_cache(maxsize=4096)
def score_of(vector: str) -> float:
    """Return the base score, 0.0 to 10.0, of a whole vector of version 3 or 4.

    Raises:
        InputError: It is none.
    """
    if not vector.startswith("CVSS:4"):
        return base_score(vector)
    try:
        return float(CVSS4(vector).base_score)
    except Exception as error:  # the package's exceptions share no base of their own
        raise InputError(f"not a CVSS v4 base vector: {vector[:80]!r}") from error


@lru_cache(maxsize=4096)
def base_score(vector: str) -> float:
    """Return the base score, 0.0 to 10.0, of a vector.

    Raises:
        InputError: It is no complete v3 base vector.
    """
    canonical = canonical_vector(vector)
    if canonical is None:
        raise InputError(f"not a CVSS v3 base vector: {vector[:80]!r}")
    return float(CVSS3(canonical).base_score)
