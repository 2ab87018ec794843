"""How old the parts are that answers rest on, and the warning past an age that a site sets."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime

from cybersecqwen.core.errors import InputError

LIMIT = "CYBERSECQWEN_MAX_AGE_DAYS"
"""Environment variable: past this age in days every answer carries a warning."""


@dataclass(frozen=True)
class PartAge:
    """The age of one part.

    Attributes:
        part: What it is, as ``CWE catalogue``.
        version: Its version; empty where it has none.
        date: Day of its content, ``YYYY-MM-DD``; empty where it is not known.
        days: Days since then; None where that is not known.
        state: ``fresh``, ``old`` (past the limit), ``undated`` or ``missing``.
        remedy: What to do about it where something is wrong; empty otherwise.
    """

    part: str
    version: str
    date: str
    days: int | None
    state: str
    remedy: str = ""

    def __str__(self) -> str:
        told = f"{self.part} {self.version}".strip()
        if self.state == "missing":
            return f"{told} is MISSING: {self.remedy}"
        if self.days is None:
            return f"{told}, of unknown date"
        return f"{told} of {self.date}, {self.days:,} days old" + (
            " (TOO OLD)" if self.state == "old" else ""
        )


def age_limit() -> int | None:
    """Return the age in days past which answers carry a warning; None where a site sets none.

    Raises:
        InputError: The environment variable is no positive number.
    """
    text = os.environ.get(LIMIT, "").strip()
    if not text:
        return None
    if not text.isdecimal() or int(text) < 1:
        raise InputError(f"{LIMIT}={text}: is no number of days")
    return int(text)


def age_of(part: str, version: str, day: str, remedy: str = "") -> PartAge:
    """Return the age of a part.

    Args:
        part: What it is.
        version: Its version.
        day: Day of its content, ISO 8601; empty where it is not known.
        remedy: How to get a newer one.
    """
    try:
        days = (datetime.now(UTC).date() - date.fromisoformat(day[:10])).days
    except ValueError:
        return PartAge(part, version, "", None, "undated")
    limit = age_limit()
    old = limit is not None and days > limit
    return PartAge(part, version, day[:10], days, "old" if old else "fresh", remedy if old else "")


def missing(part: str, remedy: str) -> PartAge:
    """Return that a part is not there."""
    return PartAge(part, "", "", None, "missing", remedy)


def age_warning(parts: Iterable[PartAge]) -> str:
    """Return the warning that answers carry; empty where no limit is set or none is past it."""
    old = [f"{part.part} {part.version} is {part.days:,} days old" for part in parts if _old(part)]
    return f"{'; '.join(old)}; this site's limit is {age_limit()}" if old else ""


def _old(part: PartAge) -> bool:
    return part.state == "old" and part.days is not None
