"""Work of ordinary iterators, done in threads and drawn from the event loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from cybersecqwen.serving.errors import BusyError

ItemT = TypeVar("ItemT")
_END: Any = object()


class BoundedExecutor:
    """Runs so many iterators at once, each in a thread, lets so many wait, and refuses the rest.

    Args:
        what: What waits, for the refusal.
        running: Iterators under way at once.
        waiting: How many more may wait.
    """

    def __init__(self, what: str, running: int, waiting: int) -> None:
        self._what = what
        self._free = asyncio.Semaphore(running)
        self._most_waiting = waiting
        self.waiting = 0
        self._pool = ThreadPoolExecutor(running, what.replace(" ", "-"))
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def busy(self) -> bool:
        """Whether the next one would have to wait."""
        return self._free.locked()

    async def draw(self, make: Callable[[], Iterator[ItemT]]) -> AsyncGenerator[ItemT]:
        """Yield what an iterator yields, waiting for a free place first.

        When the reader stops early or is cancelled, the iterator is closed as soon as it has
        finished the item it is at; only then is its place free again.

        Raises:
            BusyError: Too many are waiting.
        """
        await self._enter()
        loop = asyncio.get_running_loop()
        iterator: Iterator[ItemT] | None = None
        step: asyncio.Future[Any] | None = None
        try:
            iterator = make()
            while True:
                step = loop.run_in_executor(self._pool, next, iterator, _END)
                item = await asyncio.shield(step)
                if item is _END:
                    break
                yield item
        finally:
            task = loop.create_task(self._leave(step, iterator))
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

    async def _enter(self) -> None:
        if self.busy and self.waiting >= self._most_waiting:
            raise BusyError(self._what)
        self.waiting += 1
        try:
            await self._free.acquire()
        finally:
            self.waiting -= 1

    async def _leave(
        self, step: asyncio.Future[Any] | None, iterator: Iterator[Any] | None
    ) -> None:
        try:
            if step is not None:
                with contextlib.suppress(Exception):
                    await step
            close = getattr(iterator, "close", None)
            if close is not None:
                with contextlib.suppress(Exception):
                    await asyncio.get_running_loop().run_in_executor(self._pool, close)
        finally:
            self._free.release()


def iter_once(work: Callable[[], ItemT]) -> Iterator[ItemT]:
    """Yield what a function returns."""
    yield work()
