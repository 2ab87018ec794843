"""Ctrl-C: end at once, with one line."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from cybersecqwen.apps.progress import JobProgress

EXIT_INTERRUPTED = 130
"""128 and the number of SIGINT, as shells have it."""


@contextmanager
def ends_at_once(message: Callable[[], str]) -> Iterator[None]:
    """Let Ctrl-C end the process without waiting for the threads that work for it.

    Args:
        message: Says how far the job came and how to go on. The job must leave nothing that only
            its own end could clear away.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(_signal: int, _frame: FrameType | None) -> None:
        leave(message())

    before = signal.signal(signal.SIGINT, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def leave(line: str) -> NoReturn:
    """Print a line on standard error and end the process; further Ctrl-C does no harm.

    Python's own way out waits for every thread that a pool has started, for seconds.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    start = "\r\x1b[K" if sys.stderr.isatty() else ""
    os.write(2, f"{start}{line}\n".encode("utf-8", "replace"))
    os._exit(EXIT_INTERRUPTED)


def how_far(last: JobProgress, *, to_file: bool) -> str:
    """Say how far a job over records came, and how to go on."""
    share = "" if last.fraction is None else f" ({last.fraction:.0%})"
    rest = "with an --output FILE it could be gone on with"
    if to_file:
        rest = "the same command goes on from there"
    return f"interrupted after {last.done:,} records{share}; {rest}"
