"""Where things lie on a user's machine."""

from __future__ import annotations

import os
from pathlib import Path


def knowledge_folder() -> Path:
    """Return where the knowledge base lies unless a command is told otherwise.

    ``CYBERSECQWEN_KB`` names it; else it is ``cybersecqwen/kb`` in the user's data folder.
    """
    if named := os.environ.get("CYBERSECQWEN_KB"):
        return Path(named).expanduser()
    return data_folder() / "kb"


def data_folder() -> Path:
    """Return where the data of this program lies on a user's machine.

    It is ``cybersecqwen`` in the user's data folder (XDG Base Directory Specification:
    ``XDG_DATA_HOME``, by default ``~/.local/share``; a relative path there is to be ignored).
    """
    data = Path(os.environ.get("XDG_DATA_HOME", ""))
    if not data.is_absolute():
        data = Path.home() / ".local" / "share"
    return data / "cybersecqwen"


def advisory_store_file() -> Path:
    """Return where the local store of advisories lies.

    ``CYBERSECQWEN_STORE`` names it; else it is ``cybersecqwen/advisories.sqlite`` in the user's
    data folder.
    """
    if named := os.environ.get("CYBERSECQWEN_STORE"):
        return Path(named).expanduser()
    return data_folder() / "advisories.sqlite"


def feeds_folder() -> Path:
    """Return where fetched feeds lie unless a command is told otherwise."""
    return data_folder() / "feeds"
