"""What becomes of windows whose workers die, with processes of this machine for workers."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

import pytest

from cybersecqwen.apps import crew as crew_module
from cybersecqwen.apps.crew import Crew
from cybersecqwen.core.errors import InputError, ModelError

if os.name != "posix":
    pytest.skip("workers here are forks", allow_module_level=True)

FORKS = multiprocessing.get_context("fork")
DEADLY = 21
WRONG = 33


def double(window: list[int]) -> list[int]:
    if DEADLY in window:
        os._exit(9)
    if WRONG in window:
        raise InputError("no such number")
    return [2 * number for number in window]


def _serve(asked: Connection, answer: Callable[[list[int]], list[int]]) -> None:
    while True:
        number, window = asked.recv()
        try:
            asked.send((number, answer(window)))
        except InputError as error:
            asked.send((number, error))


@dataclass
class Fork:
    process: BaseProcess
    pipe: Connection
    asked: int = 0
    answers: dict[int, Any] = field(default_factory=dict)


@dataclass
class Forks:
    """Forked processes, each asked through a pipe."""

    answer: Callable[[list[int]], list[int]] = double
    started: list[Fork] = field(default_factory=list)
    replaced: int = 0

    def start(self, *, replaces: bool) -> Fork:
        ours, theirs = FORKS.Pipe()
        process = FORKS.Process(target=_serve, args=(theirs, self.answer), daemon=True)
        process.start()
        theirs.close()
        self.replaced += replaces
        self.started.append(Fork(process, ours))
        return self.started[-1]

    def ask(self, worker: Fork, window: list[int]) -> tuple[Fork, int]:
        worker.asked += 1
        with suppress(OSError):  # dead: found out when it is waited for
            worker.pipe.send((worker.asked, window))
        return worker, worker.asked

    def wait(self, answer: tuple[Fork, int]) -> list[int] | None:
        worker, number = answer
        try:
            while number not in worker.answers:
                done, found = worker.pipe.recv()
                worker.answers[done] = found
        except (EOFError, OSError):
            return None
        found = worker.answers.pop(number)
        if isinstance(found, Exception):
            raise found
        result: list[int] = found
        return result

    def end(self, worker: Fork) -> None:
        worker.process.kill()
        worker.process.join()
        worker.pipe.close()


def _windows(numbers: range, size: int = 8) -> Iterator[list[int]]:
    for start in range(0, len(numbers), size):
        yield list(numbers[start : start + size])


def _lost(number: int) -> int:
    return -number


@pytest.fixture
def forks() -> Iterator[Forks]:
    made = Forks()
    yield made
    for worker in made.started:
        made.end(worker)


def test_results_come_in_order(forks: Forks) -> None:
    crew = Crew(forks, 3, _lost)
    found = [number for window in crew.answer(_windows(range(20))) for number in window]
    crew.dismiss()
    assert found == [2 * number for number in range(20)]
    assert forks.replaced == 0
    assert not any(worker.process.is_alive() for worker in forks.started)


def test_the_one_that_ends_workers_is_given_up_and_no_other(forks: Forks) -> None:
    crew = Crew(forks, 2, _lost)
    numbers = range(10, 31)
    found = [number for window in crew.answer(_windows(numbers)) for number in window]
    crew.dismiss()
    assert found == [-DEADLY if number == DEADLY else 2 * number for number in numbers]


def test_workers_killed_at_any_moment_change_nothing(forks: Forks) -> None:
    moments = random.Random(0)
    crew = Crew(forks, 2, _lost)
    found: list[int] = []
    kills = 0
    for window in crew.answer(_windows(range(100, 900))):
        found += window
        if moments.random() < 0.3:
            alive = [worker for worker in forks.started if worker.process.is_alive()]
            os.kill(moments.choice(alive).process.pid or 0, signal.SIGKILL)
            kills += 1
    crew.dismiss()
    assert kills > 20
    assert found == [2 * number for number in range(100, 900)]


def test_what_a_worker_raises_arrives_as_it_is(forks: Forks) -> None:
    crew = Crew(forks, 2, _lost)
    with pytest.raises(InputError, match="no such number"):
        list(crew.answer(_windows(range(30, 40))))
    crew.dismiss()


def test_no_more_is_drawn_ahead_than_keeps_all_busy(forks: Forks) -> None:
    drawn = 0

    def windows() -> Iterator[list[int]]:
        nonlocal drawn
        for window in _windows(range(100, 500)):
            drawn += 1
            yield window

    crew = Crew(forks, 2, _lost)
    answers = crew.answer(windows())
    next(answers)
    assert drawn <= 5
    crew.dismiss()


def test_workers_that_end_whatever_they_are_given_are_told_of(
    forks: Forks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crew_module, "MOST_LOST", 2)
    forks.answer = lambda window: os._exit(1)
    crew = Crew(forks, 2, _lost)
    with pytest.raises(ModelError, match="2 records in a row"):
        list(crew.answer(_windows(range(40))))
    crew.dismiss()
