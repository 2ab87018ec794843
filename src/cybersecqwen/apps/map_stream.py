"""Records in, each with its prediction or its problem out: the one stream behind every ``map``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, islice

import msgspec

from cybersecqwen.core.concurrency import in_order
from cybersecqwen.core.interfaces import CweClassifier
from cybersecqwen.core.records import Advisory, CwePrediction, Labeller, RecordProblem
from cybersecqwen.core.text.clean import clean, has_text
from cybersecqwen.core.text.description import is_placeholder

Record = Advisory | RecordProblem

NO_TEXT = "description has no text"

_FIRST_WINDOW = 64
"""Records of the first window; each is four times the one before, up to the classifier's own."""

_WINDOWS_AT_ONCE = 2
"""One is tokenised while the other is in the network."""


class MapOptions(msgspec.Struct, frozen=True):
    """Options of a prediction.

    Attributes:
        labeller: Whose labelling convention to follow.
        top_k: Candidates at most.
        threshold: Confidence (0 to 1) under which to abstain; None for the model's own.
    """

    labeller: Labeller = "nvd"
    top_k: int = 5
    threshold: float | None = None


@dataclass(frozen=True, slots=True)
class MapOutcome:
    """What became of one record of the input.

    Attributes:
        record: The record; None where it could not be read.
        prediction: What the classifier says of it; None where there is a problem.
        problem: Why there is no prediction; None where there is one.
    """

    record: Advisory | None = None
    prediction: CwePrediction | None = None
    problem: RecordProblem | None = None


def map_stream(
    records: Iterable[Record], classifier: CweClassifier, options: MapOptions, *, skip: int = 0
) -> Iterator[MapOutcome]:
    """Yield the outcome of each record, in order; see ``map_windows``."""
    return chain.from_iterable(map_windows(records, classifier, options, skip=skip))


def map_windows(
    records: Iterable[Record], classifier: CweClassifier, options: MapOptions, *, skip: int = 0
) -> Iterator[list[MapOutcome]]:
    """Yield the outcome of each record, in order, as many at once as are answered together.

    Windows depend on nothing but the number of records before them, so the same records always
    meet the same company and get the same answers, to the last digit.

    Args:
        records: What a parser yields; five windows of them are held at most.
        classifier: A specialist, or a language model with one's shortlist.
        options: What is asked of it.
        skip: Records at the front whose outcomes are not wanted, since an earlier run has them.
            A window that is cut by it is answered as a whole.
    """

    def answer(window: list[tuple[int, Record]]) -> list[MapOutcome]:
        return _answer(window, classifier, options)

    # A classifier that takes one text at a time is a language model: it is asked by one thread.
    workers = _WINDOWS_AT_ONCE if classifier.window > 1 else 1
    numbered = enumerate(records, 1)
    sizes = _window_sizes(classifier.window)
    whole = 0
    size = next(sizes)
    while whole + size <= skip and any(True for _ in islice(numbered, size - 1, size)):
        whole += size
        size = next(sizes)
    windows = _windows(numbered, chain([size], sizes))
    left_out = skip - whole
    for outcomes in in_order(answer, windows, workers):
        yield outcomes[left_out:]
        left_out = 0


def _window_sizes(largest: int) -> Iterator[int]:
    # Small at first, so that the first answers do not wait for a long window to fill.
    size = min(_FIRST_WINDOW, largest)
    while True:
        yield size
        size = min(4 * size, largest)


def _windows(
    numbered: Iterator[tuple[int, Record]], sizes: Iterator[int]
) -> Iterator[list[tuple[int, Record]]]:
    for size in sizes:
        window = list(islice(numbered, size))
        if not window:
            return
        yield window


def _answer(
    window: list[tuple[int, Record]], classifier: CweClassifier, options: MapOptions
) -> list[MapOutcome]:
    outcomes = [_unanswered(number, record) for number, record in window]
    texts = [outcome.record.description for outcome in outcomes if outcome.record]
    predictions = classifier.map_many(
        texts, labeller=options.labeller, top_k=options.top_k, threshold=options.threshold
    )
    return [
        replace(outcome, prediction=next(predictions)) if outcome.record else outcome
        for outcome in outcomes
    ]


def _unanswered(number: int, record: Record) -> MapOutcome:
    if isinstance(record, RecordProblem):
        return MapOutcome(problem=record)
    where = record.where or f"record {number}"
    if not has_text(record.description):
        return MapOutcome(problem=RecordProblem(where, record.id, NO_TEXT, "no_description"))
    if is_placeholder(record.description):
        reason = f"no description: the text is {clean(record.description)!r}"
        return MapOutcome(problem=RecordProblem(where, record.id, reason, "no_description"))
    return MapOutcome(record=record)
