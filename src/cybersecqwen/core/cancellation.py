"""Work that stops soon after nobody wants it any more.

Threads cannot be interrupted from outside. Loops that may run long call ``checkpoint``, which ends
them once their ``Cancellation`` says so; work that has none runs to its end.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextvars import Context, ContextVar, copy_context
from typing import TypeVar

ResultT = TypeVar("ResultT")


class WorkCancelledError(BaseException):
    """The work under way has been given up.

    Like ``KeyboardInterrupt`` it is no ``Exception``, so that code which goes on after any error
    of an input does not go on after this one.
    """


class Cancellation:
    """Says whether one piece of work is to stop.

    Args:
        seconds: After which it stops by itself; None for never.
    """

    def __init__(self, seconds: float | None = None) -> None:
        self._end = None if seconds is None else time.monotonic() + seconds
        self._cancelled = threading.Event()

    def cancel(self) -> None:
        """Let the work stop at its next checkpoint."""
        self._cancelled.set()

    @property
    def due(self) -> bool:
        """Whether the work is to stop."""
        return self._cancelled.is_set() or (self._end is not None and time.monotonic() > self._end)

    def context(self) -> Context:
        """Return a copy of the present context in which checkpoints heed this."""
        context = copy_context()
        context.run(_current.set, self)
        return context


_current: ContextVar[Cancellation | None] = ContextVar("cancellation", default=None)


def checkpoint() -> None:
    """Go on, unless the work under way has been given up.

    Raises:
        WorkCancelledError: It has.
    """
    cancellation = _current.get()
    if cancellation is not None and cancellation.due:
        raise WorkCancelledError


def inherited(work: Callable[..., ResultT]) -> Callable[..., ResultT]:
    """Return a function that heeds the caller's cancellation in whatever thread it is called."""
    cancellation = _current.get()
    if cancellation is None:
        return work

    def run(*arguments: object) -> ResultT:
        return cancellation.context().run(work, *arguments)

    return run
