"""Compares systems on the items that all of them answered."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import msgspec
import numpy as np
from numpy.typing import NDArray

from cybersecqwen.core.errors import InputError
from cybersecqwen.evaluation.actors import ActorTable
from cybersecqwen.evaluation.log import RunLog
from cybersecqwen.evaluation.scoring import Scored, score
from cybersecqwen.evaluation.statistics import (
    Interval,
    Paired,
    compare_paired,
    holm,
    share_interval,
    shared_pages,
)


class SystemScore(msgspec.Struct, frozen=True):
    """One system on the shared items.

    Attributes:
        name: Unique within the comparison.
        model: SPEC or name.
        protocol: The protocol it was run under.
        open_book: Whether it looks things up.
        accuracy: Share right, averaged over its trials.
        ci95: Its interval (``share_interval``).
        log: Its log.
    """

    name: str
    model: str
    protocol: str
    open_book: bool
    accuracy: float
    ci95: Interval
    log: str


class PairResult(msgspec.Struct, frozen=True):
    """Two systems, by their names, and the test of their difference (``a`` less ``b``)."""

    a: str
    b: str
    test: Paired


class LogComparison(msgspec.Struct, frozen=True):
    """Several systems on the same items.

    Attributes:
        task: Task name.
        n: Items that every system answered.
        left_out: Items that only some of them answered.
        systems: Each system's figures, in the order given.
        pairs: Every pair tested; p-values corrected for their number where there are several.
    """

    task: str
    n: int
    left_out: int
    systems: list[SystemScore]
    pairs: list[PairResult]


def compare_logs(
    logs: Sequence[RunLog], actors: ActorTable | None = None, *, first_only: bool = False
) -> LogComparison:
    """Compare logs of one task, each by its own protocol's reading.

    Where an imported answer was cut, its makers read more of it than we have; their reading counts.

    Args:
        logs: Two or more.
        actors: Names of threat actors; None for the shipped table.
        first_only: Whether to test the first log against each other one alone, which leaves fewer
            tests to correct for.

    Raises:
        InputError: There are fewer than two logs, they are of different tasks, share no item, or
            expect different answers to an item of one id.
    """
    if len(logs) < 2:
        raise InputError("a comparison needs two logs or more")
    tasks = {log.header.task for log in logs}
    if len(tasks) > 1:
        raise InputError(f"the logs are of different tasks: {', '.join(sorted(tasks))}")
    scored = [score(log, "best", actors) for log in logs]
    ids = _shared_ids(scored)
    names = unique_names(logs)
    columns = [_column(one, ids) for one in scored]
    groups = shared_pages(_sources(scored, ids))
    pairs = [
        PairResult(names[i], names[j], compare_paired(columns[i], columns[j], groups))
        for i, j in combinations(range(len(logs)), 2)
        if i == 0 or not first_only
    ]
    if len(pairs) > 1:
        corrected = holm([pair.test.p_mcnemar for pair in pairs])
        pairs = [
            PairResult(pair.a, pair.b, msgspec.structs.replace(pair.test, p_holm=p))
            for pair, p in zip(pairs, corrected, strict=True)
        ]
    systems = [
        SystemScore(
            name=name,
            model=log.header.model,
            protocol=log.header.protocol,
            open_book=log.header.open_book,
            accuracy=float(column.mean()),
            ci95=share_interval(column, groups),
            log=str(log.path),
        )
        for name, log, column in zip(names, logs, columns, strict=True)
    ]
    everything = {row.id for one in scored for row in one.rows}
    return LogComparison(tasks.pop(), len(ids), len(everything) - len(ids), systems, pairs)


def unique_names(logs: Sequence[RunLog]) -> list[str]:
    """Return a short name for each log: its model, and more where two share one."""
    models = [log.header.model for log in logs]
    names = [
        model if models.count(model) == 1 else f"{model} ({log.header.protocol}, {log.path.stem})"
        for model, log in zip(models, logs, strict=True)
    ]
    return [
        name if names.count(name) == 1 else f"{name} #{place}"
        for place, name in enumerate(names, 1)
    ]


def _shared_ids(scored: Sequence[Scored]) -> list[str]:
    golds: dict[str, str] = {}
    for one in scored:
        for row in one.items():
            known = golds.setdefault(row.id, row.gold)
            if known != row.gold:
                raise InputError(
                    f"{one.log.path}: {row.id} expects {row.gold}, in another log {known}; these "
                    "are not the same questions"
                )
    present = [{row.id for row in one.items()} for one in scored]
    ids = [name for name in golds if all(name in ids for ids in present)]
    if not ids:
        raise InputError("the logs have no item in common")
    return ids


def _column(one: Scored, ids: Sequence[str]) -> NDArray[np.float64]:
    shares = dict(zip((row.id for row in one.items()), one.matrix().mean(axis=1), strict=True))
    return np.array([shares[name] for name in ids])


def _sources(scored: Sequence[Scored], ids: Sequence[str]) -> list[str]:
    """Return each item's page, from whichever log knows it."""
    known: dict[str, str] = {}
    for one in scored:
        known |= {row.id: row.source for row in one.items() if row.source}
    return [known.get(name, "") for name in ids]
