"""Windows answered by actors of a Ray cluster: ordered, bounded, and going on when workers die."""

from __future__ import annotations

import atexit
import logging
import pickle
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, Generic, TypeVar

from cybersecqwen.apps.crew import Crew
from cybersecqwen.core.errors import InputError, require_extra

require_extra("ray", "ray")

import ray  # noqa: E402
from ray.exceptions import RayActorError, RayTaskError  # noqa: E402

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

_STARTS = 3
"""Attempts at starting a cluster: on a busy machine Ray gives its own parts 15 s, not to be changed
(https://github.com/ray-project/ray/issues/65983)."""


class _Worker(Generic[ItemT, ResultT]):
    """One process with a model of its own."""

    def __init__(self) -> None:
        self._job: ray.ObjectRef | None = None
        self._answer: Callable[[list[ItemT]], list[ResultT]] | None = None

    def answer(self, job: list[ray.ObjectRef], window: list[ItemT]) -> list[ResultT]:
        # The job comes in a list, so that it is fetched once and not with every window. Its model
        # is opened here, so that one which cannot be loaded is told like any error of a window.
        if self._answer is None or self._job != job[0]:
            self._answer = None  # an earlier job's model goes before the next one comes
            self._answer = ray.get(job[0])()
            self._job = job[0]
        return self._answer(window)


class RayEngine:
    """Workers of a Ray cluster; see ``Crew`` for what becomes of those that die.

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
        self._idle: list[Any] = []

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
        workers = _RayWorkers(make, self._idle)
        crew = Crew(workers, self.workers, lost)
        try:
            # Ray prints what became of its workers to standard output, where rows may be going.
            with redirect_stdout(sys.stderr):
                yield from crew.answer(windows)
            workers.kept = self.workers
        finally:
            crew.dismiss()


class _RayWorkers:
    """Actors, which answer one call after the other.

    None is restarted by Ray, which refuses what an actor is asked meanwhile, so that nobody could
    tell whose fault a failure is. What a new one is asked waits until it has started.

    Args:
        make: See ``Engine.run``.
        idle: Actors of an earlier job, to be used before new ones are started: a process takes
            seconds to start.

    Attributes:
        kept: Actors that are left idle at the end, at most; the others are killed.
    """

    def __init__(
        self, make: Callable[[], Callable[[list[Any]], list[Any]]], idle: list[Any]
    ) -> None:
        self._idle = idle
        self.kept = 0
        try:
            self._made = ray.put(make)  # sent to each node once, however many workers it has
        except (TypeError, pickle.PicklingError) as error:
            raise InputError(
                "this model cannot be sent to other processes, as embedded models and those "
                "opened by a SPEC can: leave --engine out"
            ) from error
        self._kind = ray.remote(_Worker)

    def start(self, *, replaces: bool) -> Any:
        """Return an idle actor, or start one on a core of its own; replacements on any."""
        if self._idle:
            return self._idle.pop()
        # Where a machine is lost, there may be no core left.
        options = {"num_cpus": 0, "scheduling_strategy": "SPREAD"} if replaces else {"num_cpus": 1}
        return self._kind.options(**options).remote()

    def ask(self, worker: Any, window: list[Any]) -> Any:
        """Call an actor."""
        return worker.answer.remote([self._made], window)

    def wait(self, answer: Any) -> list[Any] | None:
        """Return what a call returned; None where its actor died."""
        try:
            found: list[Any] = ray.get(answer)
        except RayTaskError as error:
            raise error.cause from None
        except RayActorError:
            return None
        return found

    def end(self, worker: Any) -> None:
        """Kill an actor, or leave it for the next job."""
        if len(self._idle) < self.kept:
            self._idle.append(worker)
        else:
            ray.kill(worker)


def _connect(address: str, workers: int | None) -> None:
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address:
        try:
            ray.init(address=address, **quiet)
        except (ConnectionError, ValueError, RuntimeError) as error:
            first = str(error).strip().splitlines()[0]
            token = " (where it asks for a token: RAY_AUTH_MODE=token)"
            raise InputError(f"no Ray cluster at {address}: {first}{token}") from error
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
