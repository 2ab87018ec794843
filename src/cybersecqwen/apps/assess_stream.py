"""Records in, each with its row or its problem out: what ``assess`` and ``audit`` share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from typing import Any, ClassVar, Protocol

from cybersecqwen.apps.assess import WINDOW, Assessment, Assessor, record_row
from cybersecqwen.apps.outputs.assessment_text import record_texts
from cybersecqwen.apps.outputs.jsonl import JsonObjectWriter, write_jsonl
from cybersecqwen.apps.outputs.registry import OutputContext, format_named
from cybersecqwen.apps.record_windows import (
    WINDOWS_AT_ONCE,
    NumberedRecord,
    Record,
    answer_windows,
    lost_record,
    unreadable,
)
from cybersecqwen.core.engine import Engine
from cybersecqwen.core.records import Advisory, Labeller, RecordProblem

TEXT = "text"
"""The format that a person reads: all that is said of each record."""


@dataclass(frozen=True, slots=True)
class AssessOutcome:
    """What became of one record; neither row nor problem where there is nothing to say.

    Attributes:
        row: As it is written; None where there is none.
        problem: Why there is none; None where there is one.
        asked: Whether it was assessed.
    """

    row: dict[str, Any] | None = None
    problem: RecordProblem | None = None
    asked: bool = False


class AssessmentRows(Protocol):
    """What is made of assessments."""

    @property
    def labeller(self) -> Labeller:
        """Whose practice is followed."""
        ...

    @property
    def noun(self) -> str:
        """What a row says of its record, in a word."""
        ...

    @property
    def formats(self) -> tuple[str, ...]:
        """What the rows can be written as: ``text``, and names of ``outputs.registry.FORMATS``."""
        ...

    def concerns(self, record: Advisory) -> bool:
        """Whether a record is to be assessed."""
        ...

    def write(
        self, rows: Iterable[dict[str, Any]], form: str, context: OutputContext
    ) -> Iterator[bytes]:
        """Return the document that the rows of a job make, in pieces."""
        ...

    def row(self, assessor: Assessor, found: Assessment) -> dict[str, Any] | None:
        """Return the row of an assessment; None where there is nothing to say."""
        ...


@dataclass(frozen=True, slots=True)
class WholeRows:
    """All that the specialists say: the rows of ``assess``.

    Attributes:
        labeller: Whose practice to follow.
    """

    labeller: Labeller = "nvd"
    noun: ClassVar[str] = "assessed"
    formats: ClassVar[tuple[str, ...]] = (
        *(TEXT, "table", "jsonl", "json", "csv", "xlsx", "sarif", "html", "markdown"),
    )

    def concerns(self, record: Advisory) -> bool:
        """Whether a record is to be assessed: each is."""
        return True

    def write(
        self, rows: Iterable[dict[str, Any]], form: str, context: OutputContext
    ) -> Iterator[bytes]:
        """Return the document that the rows of a job make, in pieces."""
        if form in OBJECT_FORMATS:
            return write_objects(rows, form, context)
        if form == TEXT:
            return record_texts(rows, context.width)
        return format_named(form).open(context)(map(record_row, rows))

    def row(self, assessor: Assessor, found: Assessment) -> dict[str, Any] | None:
        """Return the row of an assessment."""
        return assessor.row(found)


OBJECT_FORMATS = ("jsonl", "json")
"""Formats that write rows as they are."""


def write_objects(
    rows: Iterable[dict[str, Any]], form: str, context: OutputContext
) -> Iterator[bytes]:
    """Return rows as JSON: an object a line (``jsonl``), or one for all (``json``)."""
    return write_jsonl(rows) if form == "jsonl" else JsonObjectWriter(context.closing)(rows)


def assess_windows(
    records: Iterable[Record],
    assessor: Assessor,
    rows: AssessmentRows,
    *,
    threshold: float | None = None,
    skip: int = 0,
    engine: Engine | None = None,
) -> Iterator[list[AssessOutcome]]:
    """Yield the outcome of each record, in order, as many at once as are assessed together.

    Args:
        records: What a parser yields.
        assessor: The specialists.
        rows: What is made of what they say.
        threshold: As for ``Assessor.assess_many``.
        skip: As for ``answer_windows``.
        engine: Likewise.
    """
    make = partial(_assesser, assessor, rows, threshold)
    return answer_windows(
        records, repeat(WINDOW), make, _lost, skip=skip, threads=WINDOWS_AT_ONCE, engine=engine
    )


def _assesser(
    assessor: Assessor, rows: AssessmentRows, threshold: float | None
) -> Callable[[list[NumberedRecord]], list[AssessOutcome]]:
    return partial(_assess, assessor=assessor, rows=rows, threshold=threshold)


def _lost(numbered: NumberedRecord) -> AssessOutcome:
    return AssessOutcome(problem=lost_record(numbered))


def _assess(
    window: list[NumberedRecord], assessor: Assessor, rows: AssessmentRows, threshold: float | None
) -> list[AssessOutcome]:
    outcomes = [AssessOutcome(problem=unreadable(numbered)) for numbered in window]
    places = [
        place
        for place, (_, record) in enumerate(window)
        if isinstance(record, Advisory) and not outcomes[place].problem and rows.concerns(record)
    ]
    asked = [record for place in places if isinstance(record := window[place][1], Advisory)]
    found = assessor.assess_many(asked, labeller=rows.labeller, threshold=threshold)
    for place, assessment in zip(places, found, strict=True):
        outcomes[place] = AssessOutcome(rows.row(assessor, assessment), asked=True)
    return outcomes
