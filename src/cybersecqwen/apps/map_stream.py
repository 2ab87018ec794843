"""Records in, each with its prediction or its problem out: the one stream behind every ``map``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import Any

import msgspec

from cybersecqwen.apps.record_windows import (
    WINDOWS_AT_ONCE,
    NumberedRecord,
    Record,
    answer_windows,
    lost_record,
    unreadable,
)
from cybersecqwen.core.engine import Engine
from cybersecqwen.core.interfaces import CweClassifier
from cybersecqwen.core.records import Advisory, CwePrediction, Labeller, RecordProblem

_FIRST_WINDOW = 64
"""Records of the first window; each is four times the one before, up to the classifier's own."""

_WINDOW_CANDIDATES = 20_480


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
    records: Iterable[Record],
    classifier: CweClassifier,
    options: MapOptions,
    *,
    skip: int = 0,
    windows_at_once: int = WINDOWS_AT_ONCE,
    engine: Engine | None = None,
) -> Iterator[list[MapOutcome]]:
    """Yield the outcome of each record, in order, as many at once as are answered together.

    See ``answer_windows`` for what windows depend on. Long lists of candidates make shorter ones.

    Args:
        records: What a parser yields; five windows of them are held at most.
        classifier: A specialist, or a language model with one's shortlist.
        options: What is asked of it.
        skip: Records at the front whose outcomes are not wanted, since an earlier run has them.
            A window that is cut by it is answered as a whole.
        windows_at_once: Windows that a process has under way at once; 1 works in the calling
            thread alone.
        engine: Where windows are answered; None for this process.
    """
    # A classifier that takes one text at a time is a language model: it is asked by one thread.
    threads = windows_at_once if classifier.window > 1 else 1
    largest = max(1, min(classifier.window, _WINDOW_CANDIDATES // options.top_k))
    make = partial(_answerer, classifier, options)
    return answer_windows(
        records, _window_sizes(largest), make, _lost, skip=skip, threads=threads, engine=engine
    )


def _window_sizes(largest: int) -> Iterator[int]:
    # Small at first, so that the first answers do not wait for a long window to fill.
    size = min(_FIRST_WINDOW, largest)
    while True:
        yield size
        size = min(4 * size, largest)


def _answerer(
    classifier: CweClassifier, options: MapOptions
) -> Callable[[list[NumberedRecord]], list[MapOutcome]]:
    return partial(_answer, classifier=classifier, options=options)


def _lost(numbered: NumberedRecord) -> MapOutcome:
    return MapOutcome(problem=lost_record(numbered))


def _answer(
    window: list[NumberedRecord], classifier: CweClassifier, options: MapOptions
) -> list[MapOutcome]:
    outcomes = [_unanswered(numbered) for numbered in window]
    # What several records say in the same words (a scanner's finding once a package) is mapped
    # once.
    whole = getattr(classifier, "reads_records", False)
    asked: dict[Any, Any] = {}
    for outcome in outcomes:
        if outcome.record:
            record = outcome.record
            asked.setdefault(_key(record, whole), record if whole else record.description)
    by_key = dict(zip(asked, _predict(classifier, asked.values(), options), strict=True))
    return [
        replace(outcome, prediction=by_key[_key(outcome.record, whole)])
        if outcome.record
        else outcome
        for outcome in outcomes
    ]


def _key(record: Advisory, whole: bool) -> Any:
    """Return what a classifier may read of a record: two records with the same get one answer."""
    if not whole:
        return record.description
    return (
        record.description,
        record.title,
        record.assigner,
        record.affected,
        record.cvss,
        record.labels,
        record.references,
    )


def _predict(
    classifier: CweClassifier, items: Iterable[Any], options: MapOptions
) -> Iterable[CwePrediction]:
    """Ask about texts or, where a classifier reads them whole, about records."""
    return classifier.map_many(
        items, labeller=options.labeller, top_k=options.top_k, threshold=options.threshold
    )


def _unanswered(numbered: NumberedRecord) -> MapOutcome:
    record = numbered[1]
    if problem := unreadable(numbered):
        return MapOutcome(problem=problem)
    return MapOutcome(record=record if isinstance(record, Advisory) else None)
