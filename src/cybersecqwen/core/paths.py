"""Where things lie on a user's machine."""

from __future__ import annotations

import os
from pathlib import Path


def knowledge_folder() -> Path:
    """Return where the knowledge base lies unless a command is told otherwise.

    ``CYBERSECQWEN_KB`` names it; else it is ``cybersecqwen/kb`` in the user's data folder (XDG
    Base Directory Specification: ``XDG_DATA_HOME``, by default ``~/.local/share``; a relative
    path there is to be ignored).
    """
    if named := os.environ.get("CYBERSECQWEN_KB"):
        return Path(named).expanduser()
    data = Path(os.environ.get("XDG_DATA_HOME", ""))
    if not data.is_absolute():
        data = Path.home() / ".local" / "share"
    return data / "cybersecqwen" / "kb"
