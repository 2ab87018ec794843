"""Libraries' progress bars and warnings, kept out of what ends in one line."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, redirect_stderr
from typing import Any


def silent_without_terminal() -> AbstractContextManager[Any]:
    """Return a context in which nothing is written to standard error unless it is a terminal."""
    return nullcontext() if sys.stderr.isatty() else redirect_stderr(io.StringIO())


@contextmanager
def quiet_hub() -> Iterator[None]:
    """Keep Hugging Face's hub from warning of each attempt to reach it; the last error tells it."""
    logger = logging.getLogger("huggingface_hub")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
