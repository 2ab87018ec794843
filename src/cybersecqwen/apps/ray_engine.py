"""Windows answered by actors of a Ray cluster: ordered, bounded, and going on when workers die."""

from __future__ import annotations

import atexit
import logging
import pickle
import shutil
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any, Generic, TypeVar

from cybersecqwen.core.errors import InputError, ModelError, require_extra

require_extra("ray", "ray")

import ray  # noqa: E402
from ray.exceptions import RayActorError, RayTaskError  # noqa: E402

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

_AHEAD = 2
"""Windows that each worker has: one in work, one at hand."""

_STARTS = 3
"""Attempts at starting a cluster: on a busy machine Ray gives its own parts 15 s, not to be changed
(https://github.com/ray-project/ray/issues/65983)."""

_TRIES = 3
"""Workers that may end with a window in hand before it is looked at more closely, and with a single
item before it is given up."""

_MOST_LOST = 10
"""Items in a row that may be given up before it is the workers that are at fault."""


class _Worker(Generic[ItemT, ResultT]):
    """One process with a model of its own."""

    def __init__(self, make: Callable[[], Callable[[list[ItemT]], list[ResultT]]]) -> None:
        self._make = make
        self._answer: Callable[[list[ItemT]], list[ResultT]] | None = None

    def answer(self, window: list[ItemT]) -> list[ResultT]:
        # Made here, so that a model which cannot be loaded is told like any error of a window.
        if self._answer is None:
            self._answer = self._make()
        return self._answer(window)


class RayEngine:
    """Workers of a Ray cluster.

    A worker that dies is replaced, and the window that it had is asked again. An item
    that ends workers time and again is given up by itself, so that the rest of its window is
    answered.

    Args:
        address: Of a running cluster; empty to start one on this machine for this process alone.
        workers: Processes that answer; None for one a core of the cluster.

    Raises:
        InputError: No cluster answers at the address, or it has fewer cores than workers.
    """

    spreads = True

    def __init__(self, address: str = "", workers: int | None = None) -> None:
        if not ray.is_initialized():
            _connect(address, workers)
        cores = max(1, int(ray.cluster_resources().get("CPU", 1)))
        if workers and workers > cores:
            raise InputError(
                f"--workers {workers}: the cluster has {cores} cores, a worker takes one"
            )
        self.workers = workers or cores

    def run(
        self,
        make: Callable[[], Callable[[list[ItemT]], list[ResultT]]],
        windows: Iterable[list[ItemT]],
        lost: Callable[[ItemT], ResultT],
        *,
        threads: int = 1,
    ) -> Iterator[list[ResultT]]:
        """Yield the results of each window, in order; see ``Engine.run``.

        Raises:
            CyberSecQwenError: What the function raised in a worker.
            InputError: What ``make`` holds cannot be sent to a worker.
            ModelError: The workers end whatever they are given.
        """
        crew = _Crew(make, lost, self.workers)
        pending: deque[_Pending[ItemT]] = deque()
        try:
            # Ray prints what became of its workers to standard output, where rows may be going.
            with redirect_stdout(sys.stderr):
                for window in windows:
                    pending.append(crew.ask(window))
                    if len(pending) >= _AHEAD * self.workers:
                        yield crew.result(pending.popleft())
                while pending:
                    yield crew.result(pending.popleft())
        finally:
            crew.dismiss()


def _connect(address: str, workers: int | None) -> None:
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address:
        try:
            ray.init(address=address, **quiet)
        except (ConnectionError, ValueError, RuntimeError) as error:
            first = str(error).strip().splitlines()[0]
            raise InputError(f"no Ray cluster at {address}: {first}") from error
        return
    for attempt in range(1, _STARTS + 1):
        try:
            started = ray.init(num_cpus=workers, include_dashboard=False, **quiet)
        except Exception as error:  # Ray raises a bare one when its parts are too slow to start
            ray.shutdown()
            if attempt == _STARTS:
                raise InputError(f"Ray does not start on this machine: {error}") from error
        else:
            atexit.register(_end_cluster, Path(started.address_info["session_dir"]))
            return


def _end_cluster(session: Path) -> None:
    """End a cluster that was started for this process, and delete its logs and sockets."""
    ray.shutdown()
    shutil.rmtree(session, ignore_errors=True)


@dataclass(slots=True)
class _Pending(Generic[ItemT]):
    """A window under way, and the worker that has it: its place in the crew, and itself."""

    window: list[ItemT]
    place: int
    worker: Any
    answer: Any
    tries: int = 1


class _Crew(Generic[ItemT, ResultT]):
    """The workers of one job.

    One that dies is replaced by a new one. Ray could restart it, but refuses what it is asked
    meanwhile, so that nobody could tell whose fault a failure is.
    """

    def __init__(
        self,
        make: Callable[[], Callable[[list[ItemT]], list[ResultT]]],
        lost: Callable[[ItemT], ResultT],
        workers: int,
    ) -> None:
        try:
            self._made = ray.put(make)  # sent to each node once, however many workers it has
        except (TypeError, pickle.PicklingError) as error:
            raise InputError(
                "this model cannot be sent to other processes, as embedded models can: leave "
                "--engine out, or let an endpoint with its own processes answer"
            ) from error
        self._lost = lost
        self._lost_in_a_row = 0
        self._kind = ray.remote(_Worker)
        self._workers = [self._kind.options(num_cpus=1).remote(self._made) for _ in range(workers)]
        self._turns = cycle(range(workers))
        self._alone: Any = None

    def ask(self, window: list[ItemT]) -> _Pending[ItemT]:
        """Give a window to the worker whose turn it is."""
        place = next(self._turns)
        worker = self._workers[place]
        return _Pending(window, place, worker, worker.answer.remote(window))

    def result(self, pending: _Pending[ItemT]) -> list[ResultT]:
        """Wait for a window's results, asking again where its worker died."""
        while True:
            found: list[ResultT] | None = _awaited(pending.answer)
            if found is not None:
                self._lost_in_a_row = 0
                return found
            if pending.tries >= _TRIES:
                return self._one_by_one(pending.window)
            place = pending.place
            if self._workers[place] is pending.worker:
                self._workers[place] = self._replacement()
            pending.worker = self._workers[place]
            pending.answer = pending.worker.answer.remote(pending.window)
            pending.tries += 1

    def dismiss(self) -> None:
        """End the workers."""
        for worker in filter(None, (*self._workers, self._alone)):
            ray.kill(worker)

    def _replacement(self) -> Any:
        # With a machine its cores may be gone, so a new worker waits for none.
        return self._kind.options(num_cpus=0, scheduling_strategy="SPREAD").remote(self._made)

    def _one_by_one(self, window: list[ItemT]) -> list[ResultT]:
        """Halve a window that ends workers until the items that do it stand alone; give those up.

        A worker that does nothing else answers the parts, one after the other, so that none is
        blamed for what another did.
        """
        # A machine may have ended the worker, so a single item is not given up at once.
        for _ in range(_TRIES if len(window) == 1 else 1):
            self._alone = self._alone or self._replacement()
            found: list[ResultT] | None = _awaited(self._alone.answer.remote(window))
            if found is not None:
                self._lost_in_a_row = 0
                return found
            self._alone = None
        if len(window) > 1:
            half = len(window) // 2
            return self._one_by_one(window[:half]) + self._one_by_one(window[half:])
        self._lost_in_a_row += 1
        if self._lost_in_a_row > _MOST_LOST:
            raise ModelError(
                f"{_MOST_LOST} records in a row ended every worker that read them: more likely the "
                "workers lack memory for the model than the records are at fault"
            )
        return [self._lost(window[0])]


def _awaited(answer: Any) -> Any:
    """Return the results of a window; None where its worker died."""
    try:
        return ray.get(answer)
    except RayTaskError as error:
        raise error.cause from None
    except RayActorError:
        return None
