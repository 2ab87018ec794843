"""The command that installs an optional part of this package."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from urllib.parse import unquote, urlsplit


def install_command(extra: str = "") -> str:
    """Return the command that installs this package, or an extra of it, where it came from.

    A package that was installed from a folder is installed from there again: nothing of another
    publisher is taken for it.
    """
    source = _source_folder() or "cybersecqwen"
    wanted = f"{source}[{extra}]" if extra else source
    words = [sys.executable or "python3", "-m", "pip", "install", wanted]
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)


def _source_folder() -> str:
    """Return the folder that this package was installed from, or that it runs in; else nothing."""
    try:
        noted = metadata.distribution("cybersecqwen").read_text("direct_url.json")
    except metadata.PackageNotFoundError:
        noted = None
    if noted:
        url = urlsplit(json.loads(noted).get("url", ""))
        path = unquote(url.path)
        # On Windows the path of a URL has a slash before the drive.
        return (path.lstrip("/") if os.name == "nt" else path) if url.scheme == "file" else ""
    root = Path(__file__).parents[3]
    return str(root) if (root / "pyproject.toml").is_file() else ""
