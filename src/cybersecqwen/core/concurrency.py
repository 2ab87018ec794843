"""Work done by several threads, handed back in the order it came in."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from cybersecqwen.core.cancellation import inherited

JobT = TypeVar("JobT")
ResultT = TypeVar("ResultT")


def in_order(
    work: Callable[[JobT], ResultT], jobs: Iterable[JobT], workers: int
) -> Iterator[ResultT]:
    """Yield ``work(job)`` for each job, in order, with ``workers`` under way at once.

    At most twice as many jobs are taken ahead of the one awaited. When the reader stops early,
    jobs not yet begun are dropped.
    """
    if workers == 1:
        yield from map(work, jobs)
        return
    work = inherited(work)
    pool = ThreadPoolExecutor(max_workers=workers)
    waiting: deque[Future[ResultT]] = deque()
    try:
        for job in jobs:
            waiting.append(pool.submit(work, job))
            if len(waiting) >= 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
