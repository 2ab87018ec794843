"""Scores a log's readings against what was expected, item by item. No model is needed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cybersecqwen.core.answer_parsing import AnswerKind
from cybersecqwen.core.cvss import base_score
from cybersecqwen.core.errors import InputError
from cybersecqwen.evaluation import answer_bank, general_check
from cybersecqwen.evaluation.actors import ActorTable, load_actors
from cybersecqwen.evaluation.log import LogRow, RunLog
from cybersecqwen.evaluation.protocols import PROTOCOLS, Protocol
from cybersecqwen.evaluation.tasks import find_task


@dataclass(frozen=True)
class Scored:
    """Readings of a log, scored.

    Attributes:
        log: The log.
        kind: What its answers are.
        reader: The name of the reading: a protocol, ``saved`` or ``released``.
        rows: The rows scored; a protocol may have dropped some.
        readings: One per row.
        correct: One per row.
    """

    log: RunLog
    kind: AnswerKind
    reader: str
    rows: list[LogRow]
    readings: list[str | None]
    correct: list[bool]

    def matrix(self) -> NDArray[np.float64]:
        """Return right (1) and wrong (0), shape (items, trials), items in the log's order."""
        trials = 1 + max(row.trial for row in self.rows)
        return np.array(self.correct, dtype=np.float64).reshape(trials, -1).T

    def items(self) -> list[LogRow]:
        """Return each item's row of the first trial, in the order of ``matrix``."""
        return [row for row in self.rows if row.trial == 0]


def is_correct(kind: AnswerKind, reading: str | None, gold: str, actors: ActorTable) -> bool:
    """Whether a reading is right: the same id, letter or set; the same base score; one group."""
    if reading is None:
        return False
    if kind == "cvss":
        return abs(base_score(reading) - base_score(gold)) < 0.05
    if kind == "actor":
        return actors.same(reading, gold)
    if kind == "text":
        if '"question":' in gold:
            return answer_bank.holds(gold, reading)
        return general_check.holds(gold, reading)
    return reading == gold


def score(log: RunLog, reading: str = "saved", actors: ActorTable | None = None) -> Scored:
    """Read and score every row.

    Args:
        log: The log.
        reading: ``saved`` for the readings in the log; ``released`` for those of an imported
            result's makers; ``best`` for the saved ones, but the makers' where the text that was
            kept is cut; or a protocol's name to read the raw text again.
        actors: Names of threat actors; None for the shipped table.

    Raises:
        InputError: The log is empty, its trials do not match, or it has no released readings.
    """
    task = find_task(log.header.task)
    table = actors or load_actors()
    rows = _whole_trials(log)
    if reading == "saved":
        readings = [row.reading for row in rows]
    elif reading == "best":
        readings = [
            row.released.reading if row.cut and row.released else row.reading for row in rows
        ]
    elif reading == "released":
        missing = [row for row in rows if row.released is None]
        if missing:
            raise InputError(f"{log.path}: {missing[0].id} has no released reading")
        readings = [row.released.reading for row in rows if row.released]
        right = [row.released.correct for row in rows if row.released]
        return Scored(log, task.kind, reading, rows, readings, right)
    else:
        protocol = PROTOCOLS[reading]
        if protocol.drop_duplicates:
            rows = [row for row in rows if row.id not in task.duplicates]
        readings = _read(rows, protocol, task.kind)
    right = [
        is_correct(task.kind, found, row.gold, table)
        for found, row in zip(readings, rows, strict=True)
    ]
    return Scored(log, task.kind, reading, rows, readings, right)


def _read(rows: Sequence[LogRow], protocol: Protocol, kind: AnswerKind) -> list[str | None]:
    return [protocol.readers[kind].read(row.output, row.options) for row in rows]


def _whole_trials(log: RunLog) -> list[LogRow]:
    """Return the rows of the trials that are complete, or of an unfinished first one.

    Raises:
        InputError: There is no answer, or trials do not ask the same items.
    """
    counts = Counter(row.trial for row in log.rows)
    if not counts.get(0):
        raise InputError(f"{log.path}: the log has no answer of its first trial yet")
    whole = [trial for trial in sorted(counts) if counts[trial] == counts[0]]
    rows = [row for row in log.rows if row.trial in set(whole)]
    ids = [row.id for row in rows]
    first = ids[: counts[0]]
    if whole != list(range(len(whole))) or ids != first * len(whole):
        raise InputError(f"{log.path}: its trials do not ask the same items in the same order")
    return rows


def available_readings(log: RunLog) -> list[str]:
    """Return the readings that a log can be scored by, its own first."""
    names = ["saved"]
    if log.rows and all(row.released is not None for row in log.rows):
        names.append("released")
    # Of a bare answer there is nothing to read again.
    bare = log.header.protocol.startswith("constrained")
    if not bare and log.header.origin != "import:cti-bench":
        names.extend(p.name for p in PROTOCOLS.values() if not p.constrained)
    return names
