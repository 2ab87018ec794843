"""Work of ordinary iterators, done in threads and drawn from the event loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from typing import Any, TypeVar

from cybersecqwen.core.cancellation import Cancellation, WorkCancelledError
from cybersecqwen.serving.errors import BusyError

ItemT = TypeVar("ItemT")
_END: Any = object()


class BoundedExecutor:
    """Runs so many iterators at once, each in a thread, lets so many wait, and refuses the rest.

    Args:
        what: What waits, for the refusal.
        running: Iterators under way at once.
        waiting: Number of calls that may wait.
        by_turns: Whether iterators give up their place after each item, so that long ones do
            not keep short ones waiting; all of them, ``running`` and ``waiting``, are then open.
    """

    def __init__(self, what: str, running: int, waiting: int, *, by_turns: bool = False) -> None:
        self._what = what
        self._free = asyncio.Semaphore(running)
        self._most = running + waiting
        self._running = running
        self._by_turns = by_turns
        self.open = 0
        """Iterators that run or wait."""
        self._pool = ThreadPoolExecutor(running, what.replace(" ", "-"))
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def busy(self) -> bool:
        """Whether the next one would have to wait."""
        return self.open >= self._running

    @property
    def waiting(self) -> int:
        """Iterators that wait for a place."""
        return max(0, self.open - self._running)

    async def draw(self, make: Callable[[], Iterator[ItemT]]) -> AsyncGenerator[ItemT]:
        """Yield what an iterator yields, waiting for a free place first.

        When the reader stops early or is cancelled, so is the work: at its next checkpoint (see
        ``core.cancellation``), or after the item it is at. Only then is its place free again.

        Args:
            make: Returns the iterator; called in the thread.

        Raises:
            BusyError: Too many are waiting.
        """
        if self.open >= self._most:
            raise BusyError(self._what)
        self.open += 1
        cancellation = Cancellation()
        job = _Job(cancellation.context(), make)
        held = False
        step: asyncio.Future[Any] | None = None
        try:
            while True:
                if not held:
                    await self._free.acquire()
                    held = True
                step = asyncio.get_running_loop().run_in_executor(self._pool, job.step)
                item = await asyncio.shield(step)
                step = None
                if self._by_turns:
                    self._free.release()
                    held = False
                if item is _END:
                    break
                yield item
        finally:
            cancellation.cancel()
            task = asyncio.get_running_loop().create_task(self._leave(job, step, held=held))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def call(self, work: Callable[[], ItemT]) -> ItemT:
        """Return what a function returns, under the same limits."""
        async with contextlib.aclosing(self.draw(lambda: iter_once(work))) as items:
            async for item in items:
                return item
        raise AssertionError("an iterator of one item yielded none")

    def close(self) -> None:
        """Let the threads go."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _leave(self, job: _Job, step: asyncio.Future[Any] | None, *, held: bool) -> None:
        """Wait until the thread has let go, close the iterator, give the place back."""
        try:
            if step is not None:
                with contextlib.suppress(Exception, WorkCancelledError):
                    await step
            with contextlib.suppress(Exception, WorkCancelledError):
                await asyncio.get_running_loop().run_in_executor(None, job.close)
        finally:
            self.open -= 1
            if held:
                self._free.release()


class _Job:
    """One iterator, made and advanced in threads, always in the same context."""

    def __init__(self, context: Context, make: Callable[[], Iterator[Any]]) -> None:
        self._context = context
        self._make = make
        self._iterator: Iterator[Any] | None = None

    def step(self) -> Any:
        """Return the next item, or ``_END``."""
        return self._context.run(self._next)

    def _next(self) -> Any:
        if self._iterator is None:
            self._iterator = self._make()
        return next(self._iterator, _END)

    def close(self) -> None:
        """Close the iterator, if it has anything to close."""
        close = getattr(self._iterator, "close", None)
        if close is not None:
            self._context.run(close)


def iter_once(work: Callable[[], ItemT]) -> Iterator[ItemT]:
    """Yield what a function returns."""
    yield work()
