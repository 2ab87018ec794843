"""Headers of HTTP replies that more than one client reads."""

from __future__ import annotations

import math
import time
from email.utils import parsedate_to_datetime


def retry_after(header: str | None) -> float | None:
    """Return the seconds that a Retry-After header asks for (RFC 9110, 10.2.3), at least 0.

    Args:
        header: Its value, a number of seconds or a date; None where the reply has none.

    Returns:
        Seconds from now; None where there is no header or it says neither.
    """
    if not header:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(header).timestamp() - time.time()
        except (TypeError, ValueError, OverflowError):
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None
