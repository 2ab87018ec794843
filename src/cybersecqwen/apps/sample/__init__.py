"""A small feed of made-up records that ships, for ``cybersecqwen demo``."""

from __future__ import annotations

from importlib import resources
from pathlib import Path


def sample_feed() -> Path:
    """Return the file: JSON lines, in our own words, with ids that do not exist."""
    return Path(str(resources.files(__package__))) / "feed.jsonl"
