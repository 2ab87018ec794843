"""Texts mapped together: single requests that meet, batches, and files of any size."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import msgspec

from cybersecqwen.apps.map_stream import MapOptions, MapOutcome, map_windows
from cybersecqwen.apps.outputs.rows import MapRow, RowMaker
from cybersecqwen.core.records import Advisory, Labeller, RecordProblem
from cybersecqwen.core.text.clean import has_text
from cybersecqwen.serving.errors import ApiError, BusyError
from cybersecqwen.specialists import CweMapper

_MOST_TOGETHER = 128
_WORTHWHILE = 64
_WORKERS = 2

_Waiting = tuple[str, MapOptions, "asyncio.Future[bytes]"]


class Batcher:
    """Answers single texts in batches of whatever is waiting when a worker is free.

    On an idle machine a text is answered at once, and under load the batches grow by themselves.
    Two workers take turns, so that one's texts are tokenised and its rows written while the
    other's are in the network.

    Args:
        mapper: The model.
        maker: Turns predictions into rows.
        limit: Texts that may wait.
    """

    def __init__(self, mapper: CweMapper, maker: RowMaker, limit: int) -> None:
        self._mapper = mapper
        self._maker = maker
        self._limit = limit
        self._waiting: deque[_Waiting] = deque()
        self._running = 0
        self._pool = ThreadPoolExecutor(_WORKERS, "map")
        self.count: Callable[[int], None] = lambda _: None
        """Called with the number of texts that have been answered."""

    @property
    def waiting(self) -> int:
        """Texts that no worker has taken yet."""
        return len(self._waiting)

    async def map(self, text: str, options: MapOptions) -> bytes:
        """Return the row of one text as JSON.

        Raises:
            ApiError: The text has nothing to read.
            BusyError: Too many texts are waiting.
        """
        if not has_text(text):
            raise ApiError(400, "text: has nothing to read", "empty_text")
        if len(self._waiting) >= self._limit:
            raise BusyError("texts")
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting.append((text, options, future))
        self._start()
        return await future

    def close(self) -> None:
        """Let the threads go."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _start(self) -> None:
        # Few texts are padded to the longest of few: a second worker waits until it has enough.
        while (
            self._running < _WORKERS
            and (self._running == 0 or len(self._waiting) >= _WORTHWHILE)
            and (batch := self._take())
        ):
            self._running += 1
            loop = asyncio.get_running_loop()
            answers = loop.run_in_executor(
                self._pool, self._answer, [text for text, _, _ in batch], batch[0][1]
            )
            answers.add_done_callback(partial(self._deliver, batch))

    def _take(self) -> list[_Waiting]:
        """Take texts off the queue that ask for the same; those nobody waits for are dropped."""
        batch: list[_Waiting] = []
        while self._waiting and len(batch) < _MOST_TOGETHER:
            if self._waiting[0][2].done():
                self._waiting.popleft()
            elif batch and self._waiting[0][1] != batch[0][1]:
                break
            else:
                batch.append(self._waiting.popleft())
        return batch

    def _answer(self, texts: list[str], options: MapOptions) -> list[bytes]:
        predictions = self._mapper.map_many(
            texts, labeller=options.labeller, top_k=options.top_k, threshold=options.threshold
        )
        rows = map(partial(self._maker.row, "text"), predictions, texts)
        return [msgspec.json.encode(row) for row in rows]

    def _deliver(self, batch: list[_Waiting], done: asyncio.Future[list[bytes]]) -> None:
        self._running -= 1
        self._start()
        error = done.exception()
        for place, (_, _, future) in enumerate(batch):
            if future.done():
                continue
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(done.result()[place])
        self.count(len(batch))


def map_lines(
    mapper: CweMapper,
    records: Iterable[Advisory | RecordProblem],
    options: MapOptions,
    maker: RowMaker,
    *,
    skip: int = 0,
) -> Iterator[list[MapRow | RecordProblem]]:
    """Yield a row, or its problem, for each record, in order, a window at a time.

    Args:
        mapper: The model.
        records: What a parser yields.
        options: What is asked of the model.
        maker: Turns predictions into rows.
        skip: Records to leave out at the front; see ``map_windows``.
    """
    # In the calling thread alone: files take turns, and one whose turn is over does no work.
    for window in map_windows(records, mapper, options, skip=skip, windows_at_once=1):
        yield [_line(outcome, maker, options.labeller) for outcome in window]


def _line(outcome: MapOutcome, maker: RowMaker, labeller: Labeller) -> MapRow | RecordProblem:
    if outcome.record and outcome.prediction:
        return maker.record_row(outcome.record, outcome.prediction, labeller)
    assert outcome.problem is not None  # what has no answer has a problem
    return outcome.problem
