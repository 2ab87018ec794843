"""Records in windows that are answered together: what every job over records is made of."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from cybersecqwen.core.cancellation import checkpoint
from cybersecqwen.core.engine import Engine, LocalEngine
from cybersecqwen.core.records import Advisory, RecordProblem
from cybersecqwen.core.text.clean import clean, has_text
from cybersecqwen.core.text.description import is_placeholder

Record = Advisory | RecordProblem

NumberedRecord = tuple[int, Record]
"""A record and its number, counted from 1."""

OutcomeT = TypeVar("OutcomeT")
RecordT = TypeVar("RecordT")

_WINDOW_CHARACTERS = 2 << 20

WINDOWS_AT_ONCE = 2
"""Windows of a job under way: one is tokenised or written while the other is in the network."""


def answer_windows(
    records: Iterable[Record],
    sizes: Iterator[int],
    make: Callable[[], Callable[[list[NumberedRecord]], list[OutcomeT]]],
    lost: Callable[[NumberedRecord], OutcomeT],
    *,
    skip: int = 0,
    threads: int = 1,
    engine: Engine | None = None,
) -> Iterator[list[OutcomeT]]:
    """Yield the outcome of each record, in order, as many at once as are answered together.

    Windows depend on nothing but the records before them, so the same records always meet the
    same company and get the same answers, to the last digit. Long texts make shorter windows, of
    about the same memory.

    Args:
        records: What a parser yields; only so many are drawn ahead as keep the engine busy.
        sizes: Records of each window, at most.
        make: See ``Engine.run``.
        lost: Likewise.
        skip: Records at the front whose outcomes are not wanted, since an earlier run has them.
            A window that is cut by it is answered as a whole.
        threads: Windows that a process has under way at once.
        engine: Where windows are answered; None for this process.
    """
    windows = _windows(enumerate(records, 1), sizes)
    cut: deque[int] = deque()

    def wanted() -> Iterator[list[NumberedRecord]]:
        for window in windows:
            if window.before + len(window.records) > skip:
                cut.append(max(0, skip - window.before))
                yield window.records

    for outcomes in (engine or LocalEngine()).run(make, wanted(), lost, threads=threads):
        yield outcomes[cut.popleft() :]


def place_of(numbered: NumberedRecord) -> str:
    """Return where a record stands in its input, for a message."""
    number, record = numbered
    return record.where or f"record {number}"


def lost_record(numbered: NumberedRecord) -> RecordProblem:
    """Return the problem of a record that no worker survives."""
    reason = "ended every worker that read it"
    return RecordProblem(place_of(numbered), numbered[1].id, reason)


def unreadable(numbered: NumberedRecord) -> RecordProblem | None:
    """Return why a record has no text that says anything; None where it has."""
    record = numbered[1]
    if isinstance(record, RecordProblem):
        return record
    if not has_text(record.description):
        reason = "description has no text"
    elif is_placeholder(record.description):
        reason = f"no description: the text is {clean(record.description)!r}"
    else:
        return None
    return RecordProblem(place_of(numbered), record.id, reason, "no_description")


class ReadShare:
    """How much of a job's input is done, where windows of it are read ahead."""

    def __init__(self) -> None:
        # A single text is mapped without the readers of every format.
        from cybersecqwen.sources import ReadPosition

        self.position = ReadPosition()
        self._read = 0

    def counted(self, records: Iterable[RecordT]) -> Iterator[RecordT]:
        """Pass records on, counting them."""
        for record in records:
            self._read += 1
            yield record

    def of(self, done: int) -> float | None:
        """Return the share (0 to 1) that the first so many records are of the input, if known."""
        fraction = self.position.fraction
        return fraction and fraction * done / max(self._read, done)


@dataclass(frozen=True, slots=True)
class _RecordWindow:
    """Records that are answered together, each with its number.

    Attributes:
        before: Records before the first.
        records: These.
    """

    before: int
    records: list[NumberedRecord]


def _windows(numbered: Iterable[NumberedRecord], sizes: Iterator[int]) -> Iterator[_RecordWindow]:
    most = next(sizes)
    window: list[NumberedRecord] = []
    characters = 0
    for number, record in numbered:
        checkpoint()
        window.append((number, record))
        characters += len(record.description) if isinstance(record, Advisory) else 0
        if len(window) >= most or characters > _WINDOW_CHARACTERS:
            yield _RecordWindow(number - len(window), window)
            window, characters, most = [], 0, next(sizes)
    if window:
        yield _RecordWindow(number - len(window), window)
