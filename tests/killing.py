"""Fault injection: an action is run again and again, killed before each of its steps on disk."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ParamSpec

_EVENTS = frozenset(
    {"open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate", "os.chmod"}
    | {"os.scandir", "os.listdir", "fcntl.flock", "ctypes.dlopen", "ctypes.dlsym"}
)
_CALLS = ("write", "fsync", "ftruncate", "close", "stat")
_KILLED = 77
_ALONE = "TEST_RUNS_ALONE"

ParamsT = ParamSpec("ParamsT")


def in_a_small_process(test: Callable[ParamsT, None]) -> Callable[ParamsT, None]:
    """Let a test run in a pytest of its own.

    A fork copies the tables of all memory: a process that has loaded what the other tests need
    takes three times as long for it as one that has not, and ``kills`` forks hundreds of times.
    """

    @functools.wraps(test)
    def run(*arguments: ParamsT.args, **named: ParamsT.kwargs) -> None:
        if os.environ.get(_ALONE):
            test(*arguments, **named)
            return
        this = os.environ["PYTEST_CURRENT_TEST"].rpartition(" ")[0]
        command = [sys.executable, "-m", "pytest", "-n0", "-p", "no:cacheprovider", this]
        done = subprocess.run(
            command,
            cwd=Path(__file__).parents[1],
            env=os.environ | {_ALONE: "1"},
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout
        assert "1 passed" in done.stdout

    return run


def kills(action: Callable[[], None], most: int = 2000) -> Iterator[int]:
    """Yield after each of the action's deaths, with the number of the step before which it died.

    The action runs in a forked process, which vanishes without any clean-up, as a kill makes it.
    The steps are what Python tells its audit hooks, and the calls above. The last run ends whole.
    """
    for step in range(1, most):
        child = os.fork()
        if child == 0:
            try:
                _die_before(step)
                action()
            except BaseException as error:
                os.write(2, f"step {step}: {error!r}\n".encode())
                os._exit(1)
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert status in {0, _KILLED}, f"the action failed at step {step}"
        yield step
        if status == 0:
            return
    raise AssertionError(f"more than {most} steps")


def _die_before(step: int) -> None:
    left = step

    def count() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os._exit(_KILLED)

    def hook(event: str, _arguments: tuple[Any, ...]) -> None:
        if event in _EVENTS:
            count()

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def counting(*arguments: Any, **named: Any) -> Any:
            count()
            return call(*arguments, **named)

        return counting

    sys.addaudithook(hook)
    for name in _CALLS:
        setattr(os, name, counted(getattr(os, name)))


def killed_when(reached: Callable[[], bool], action: Callable[[], object]) -> None:
    """Run an action in a forked process, and kill that outright as soon as something is reached.

    A fork has all modules loaded, where a process of its own would import them anew for seconds.
    """
    child = os.fork()
    if child == 0:
        try:
            action()
        except BaseException as error:
            os.write(2, f"{error!r}\n".encode())
        os._exit(1)
    while not reached():
        assert os.waitpid(child, os.WNOHANG)[0] == 0, "it ended before it could be killed"
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
