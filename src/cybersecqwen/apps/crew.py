"""Workers that answer windows, in order, and what becomes of a window whose worker dies."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import cycle
from typing import Any, Generic, Protocol, TypeVar

from cybersecqwen.core.errors import ModelError

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

_AHEAD = 2
"""Windows that each worker has: one in work, one at hand."""

_TRIES = 3
"""Workers that may end with a window in hand before it is looked at more closely, and with a single
item before it is given up."""

MOST_LOST = 10
"""Items in a row that may be given up before it is the workers that are at fault."""


class Workers(Protocol):
    """Processes elsewhere, each with a function of its own that answers windows."""

    def start(self, *, replaces: bool) -> Any:
        """Return a new worker; ``replaces`` one that died, perhaps with its machine."""
        ...

    def ask(self, worker: Any, window: list[Any]) -> Any:
        """Give a window to a worker, which answers one after the other; return what to wait for."""
        ...

    def wait(self, answer: Any) -> list[Any] | None:
        """Return a window's results; None where its worker died.

        Raises:
            CyberSecQwenError: What the worker's function raised.
        """
        ...

    def end(self, worker: Any) -> None:
        """End a worker, dead or alive."""
        ...


@dataclass(slots=True)
class _Pending(Generic[ItemT]):
    """A window under way, and the worker that has it: its place in the crew, and itself."""

    window: list[ItemT]
    place: int
    worker: Any
    answer: Any
    tries: int = 1


class Crew(Generic[ItemT, ResultT]):
    """The workers of one job.

    One that dies is replaced, and its windows are asked again. An item that ends workers time and
    again is given up by itself, so that the rest of its window is answered.

    Args:
        workers: Where they come from.
        count: How many.
        lost: Gives the result of an item that is given up.
    """

    def __init__(self, workers: Workers, count: int, lost: Callable[[ItemT], ResultT]) -> None:
        self._from = workers
        self._lost = lost
        self._lost_in_a_row = 0
        self._crew = [workers.start(replaces=False) for _ in range(count)]
        self._turns = cycle(range(count))
        self._alone: Any = None

    def answer(self, windows: Iterable[list[ItemT]]) -> Iterator[list[ResultT]]:
        """Yield the results of each window, in order; draw no more ahead than keeps all busy.

        Raises:
            CyberSecQwenError: What a worker's function raised.
            ModelError: The workers end whatever they are given.
        """
        pending: deque[_Pending[ItemT]] = deque()
        for window in windows:
            pending.append(self._ask(window))
            if len(pending) >= _AHEAD * len(self._crew):
                yield self._result(pending.popleft())
        while pending:
            yield self._result(pending.popleft())

    def dismiss(self) -> None:
        """End the workers."""
        for worker in self._crew:
            self._from.end(worker)
        if self._alone is not None:
            self._from.end(self._alone)

    def _ask(self, window: list[ItemT]) -> _Pending[ItemT]:
        place = next(self._turns)
        worker = self._crew[place]
        return _Pending(window, place, worker, self._from.ask(worker, window))

    def _result(self, pending: _Pending[ItemT]) -> list[ResultT]:
        """Wait for a window's results, asking again where its worker died."""
        while True:
            found: list[ResultT] | None = self._from.wait(pending.answer)
            if found is not None:
                self._lost_in_a_row = 0
                return found
            if pending.tries >= _TRIES:
                return self._one_by_one(pending.window)
            place = pending.place
            if self._crew[place] is pending.worker:
                self._from.end(pending.worker)
                self._crew[place] = self._from.start(replaces=True)
            pending.worker = self._crew[place]
            pending.answer = self._from.ask(pending.worker, pending.window)
            pending.tries += 1

    def _one_by_one(self, window: list[ItemT]) -> list[ResultT]:
        """Halve a window that ends workers until the items that do it stand alone; give those up.

        A worker that does nothing else answers the parts, one after the other, so that none is
        blamed for what another did.
        """
        # A machine may have ended the worker, so a single item is not given up at once.
        for _ in range(_TRIES if len(window) == 1 else 1):
            if self._alone is None:
                self._alone = self._from.start(replaces=True)
            found: list[ResultT] | None = self._from.wait(self._from.ask(self._alone, window))
            if found is not None:
                self._lost_in_a_row = 0
                return found
            self._from.end(self._alone)
            self._alone = None
        if len(window) > 1:
            half = len(window) // 2
            return self._one_by_one(window[:half]) + self._one_by_one(window[half:])
        self._lost_in_a_row += 1
        if self._lost_in_a_row > MOST_LOST:
            raise ModelError(
                f"{MOST_LOST} records in a row ended every worker that read them: more likely the "
                "workers lack memory for the model than the records are at fault"
            )
        return [self._lost(window[0])]
