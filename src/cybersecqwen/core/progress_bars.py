"""Libraries' progress bars, kept out of log files."""

from __future__ import annotations

import io
import sys
from contextlib import AbstractContextManager, nullcontext, redirect_stderr
from typing import Any


def silent_without_terminal() -> AbstractContextManager[Any]:
    """Return a context in which nothing is written to standard error unless it is a terminal."""
    return nullcontext() if sys.stderr.isatty() else redirect_stderr(io.StringIO())
