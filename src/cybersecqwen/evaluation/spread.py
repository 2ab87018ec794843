"""A trial's questions answered by several processes, each with a system of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain

from cybersecqwen.core.chat import Sampling
from cybersecqwen.core.engine import Engine
from cybersecqwen.core.errors import ModelError
from cybersecqwen.evaluation.systems.base import Asked, Response, System

_TOGETHER = 16
"""Questions that a worker is given at once, at least, where the system takes fewer together."""

PlacedQuestion = tuple[int, Asked]
"""A question and its place in the trial."""

OpenSystem = Callable[[], System]


def spread(
    open_system: OpenSystem,
    asked: Sequence[Asked],
    places: range,
    align: int,
    sampling: Sampling,
    engine: Engine,
) -> Iterator[Response]:
    """Yield the responses to a range of questions, in order, as one process would give them.

    Args:
        open_system: Opens the system, once in each worker.
        asked: A trial's questions.
        places: Those to answer; they begin where a batch of the system's begins.
        align: As for ``System``: batches are never divided.
        sampling: The trial's; places are filled in.
        engine: Where they are answered.

    Raises:
        ModelError: The system stopped before it had answered everything.
    """
    size = max(1, _TOGETHER // align) * align
    windows = (
        [(place, asked[place]) for place in places[start : start + size]]
        for start in range(0, len(places), size)
    )
    make = partial(_answerer, open_system, sampling)
    yield from chain.from_iterable(engine.run(make, windows, _lost))


def _answerer(
    open_system: OpenSystem, sampling: Sampling
) -> Callable[[list[PlacedQuestion]], list[Response]]:
    return partial(_answer, open_system(), sampling)


def _answer(system: System, sampling: Sampling, window: list[PlacedQuestion]) -> list[Response]:
    placed = replace(sampling, first_index=window[0][0])
    found = list(system.answer([asked for _, asked in window], placed))
    if len(found) != len(window):
        raise ModelError(f"the system stopped after {len(found)} of {len(window)} questions")
    return found


def _lost(_: PlacedQuestion) -> Response:
    return Response("", finish="error", error="ended every worker that read it")
