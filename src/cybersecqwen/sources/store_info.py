"""What the local store holds, and how old it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path


@dataclass(frozen=True, slots=True)
class StoreInfo:
    """What a store holds and how old it is.

    Attributes:
        path: The file.
        records: Number of ids.
        states: Number of records in each state.
        newest: Date of the newest change in it, as ``YYYY-MM-DD``; empty where none is dated.
        imported: When something was last imported, as ISO 8601 in UTC; empty where nothing was.
        size: Size of the file, in bytes.
    """

    path: Path
    records: int
    states: dict[str, int]
    newest: str
    imported: str
    size: int

    @property
    def age(self) -> str:
        """How old it is, in words."""
        return age_in_words(self.imported, self.newest)


def age_in_words(imported: str, newest: str) -> str:
    """Return how old a store is; both times as in ``StoreInfo``."""
    if not imported:
        return "empty"
    days = (datetime.now(UTC) - datetime.fromisoformat(imported)).days
    when = "today" if days < 1 else f"{days:,} day{'s' if days > 1 else ''} ago"
    return f"imported {when}" + (f", newest change {newest}" if newest else "")
