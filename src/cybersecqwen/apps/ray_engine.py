"""Windows answered by actors of a Ray cluster: ordered, bounded, and going on when workers die."""

from __future__ import annotations

import logging
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from itertools import cycle
from typing import Any, Generic, TypeVar

from cybersecqwen.core.errors import InputError, require_extra

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
"""Workers that a window may end before its items are tried one by one."""


class _Worker(Generic[ItemT, ResultT]):
    """One process with a model of its own."""

    def __init__(self, make: Callable[[], Callable[[list[ItemT]], list[ResultT]]]) -> None:
        self._answer = make()

    def answer(self, window: list[ItemT]) -> list[ResultT]:
        return self._answer(window)


@dataclass(slots=True)
class _Pending(Generic[ItemT]):
    """A window under way."""

    window: list[ItemT]
    answer: Any
    tries: int


class RayEngine:
    """Workers of a Ray cluster.

    A worker that dies is started again by Ray, and the window that it had is asked again. An item
    that ends workers time and again is given up by itself, so that the rest of its window is
    answered.

    Args:
        address: Of a running cluster; empty to start one on this machine for this process alone.
        workers: Processes that answer; None for one a core of the cluster.

    Raises:
        InputError: No cluster answers at the address.
    """

    def __init__(self, address: str = "", workers: int | None = None) -> None:
        if not ray.is_initialized():
            _connect(address, workers)
        self.workers = workers or max(1, int(ray.cluster_resources().get("CPU", 1)))

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
        """
        made = ray.put(make)  # sent to each node once, however many workers it has
        remote = ray.remote(num_cpus=1, max_restarts=-1)(_Worker)
        actors = [remote.remote(made) for _ in range(self.workers)]
        turns = cycle(actors)
        pending: deque[_Pending[ItemT]] = deque()
        try:
            # Ray prints what became of its workers to standard output, where rows may be going.
            with redirect_stdout(sys.stderr):
                for window in windows:
                    pending.append(_Pending(window, next(turns).answer.remote(window), 1))
                    if len(pending) >= _AHEAD * self.workers:
                        yield _result(pending.popleft(), turns, lost)
                while pending:
                    yield _result(pending.popleft(), turns, lost)
        finally:
            for actor in actors:
                ray.kill(actor)


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
            ray.init(num_cpus=workers, include_dashboard=False, **quiet)
        except Exception as error:  # Ray raises a bare one when its parts are too slow to start
            ray.shutdown()
            if attempt == _STARTS:
                raise InputError(f"Ray does not start on this machine: {error}") from error
        else:
            return


def _result(
    pending: _Pending[ItemT], turns: Iterator[Any], lost: Callable[[ItemT], ResultT]
) -> list[ResultT]:
    """Wait for a window's results, asking again where its worker died."""
    while True:
        try:
            found: list[ResultT] = ray.get(pending.answer)
        except RayTaskError as error:
            raise error.cause from None
        except RayActorError:
            if pending.tries < _TRIES:
                pending.answer = next(turns).answer.remote(pending.window)
                pending.tries += 1
                continue
            return _one_by_one(pending.window, turns, lost)
        else:
            return found


def _one_by_one(
    window: list[ItemT], turns: Iterator[Any], lost: Callable[[ItemT], ResultT]
) -> list[ResultT]:
    """Halve a window that ends workers until the items that do it stand alone; give those up."""
    if len(window) == 1:
        return [lost(window[0])]
    half = len(window) // 2
    results: list[ResultT] = []
    for part in (window[:half], window[half:]):
        # Others may have ended the worker that a single item meets, so it is tried on several.
        tries = 1 if len(part) == 1 else _TRIES
        asked = _Pending(part, next(turns).answer.remote(part), tries)
        results += _result(asked, turns, lost)
    return results
