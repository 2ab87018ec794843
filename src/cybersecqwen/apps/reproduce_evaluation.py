"""What ``reproduce`` asks of the base and of the model, and which answers are there already."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from cybersecqwen.apps.general_card import ANSWERED_TOGETHER, general_options
from cybersecqwen.core.records import Question
from cybersecqwen.evaluation.log import read_log
from cybersecqwen.evaluation.plan import RunOptions
from cybersecqwen.evaluation.protocols import find_protocol
from cybersecqwen.evaluation.runner import select_questions
from cybersecqwen.evaluation.tasks import LoadOptions, find_task

_PROTOCOLS = ("ref", "constrained")
"""Protocols that the benchmarks are run under."""

_BENCHMARKS = ("cti-rcm", "cti-mcq")
LogState = Literal["whole", "part", "other"]
"""All questions answered; some or none; or a log of another limit, with more or fewer of them."""

_DRY_QUESTIONS = 2
_DRY_TOKENS = 8


def runs_of(benchmarks: Sequence[Path], limit: int | None, *, dry_run: bool) -> list[RunOptions]:
    """Return what is asked of each model: the general check, and benchmarks, written and chosen.

    Args:
        benchmarks: Files of the corpus recipe; those that are no task here are left out.
        limit: Questions of each at most; None for all.
        dry_run: Whether a few short answers suffice.
    """
    max_tokens = _DRY_TOKENS if dry_run else None
    limit = _DRY_QUESTIONS if dry_run else limit
    files = {file.stem: file for file in benchmarks}
    runs = [general_options(limit, max_tokens)]
    for name in _BENCHMARKS:
        runs += [
            RunOptions(
                name,
                files[name],
                protocol=protocol,
                limit=limit,
                trials=1 if dry_run else None,
                max_tokens=None if protocol == "constrained" else max_tokens,
                backend={"batch_size": ANSWERED_TOGETHER},
            )
            for protocol in _PROTOCOLS
            if name in files
        ]
    return runs


def questions_of(asked: RunOptions) -> list[Question]:
    """Return the questions that a run asks.

    Raises:
        InputError: Their file cannot be used.
    """
    task = find_task(asked.task)
    questions = task.load(asked.data or task.shipped or Path(), LoadOptions())
    return select_questions(questions, task, find_protocol(asked.protocol or "ref"), asked.limit)


def state_of(log: Path, asked: RunOptions) -> LogState:
    """Return how far a log answers the questions of a run, as they are today."""
    if not log.is_file():
        return "part"
    found = read_log(log)
    expected = {question.id: question.gold for question in questions_of(asked)}
    if found.header.items != len(expected):
        return "other"
    answered = not (found.missing or found.torn) and all(
        row.finish != "error" and expected.get(row.id) == row.gold for row in found.rows
    )
    return "whole" if answered else "part"


def discard_older(report: Path, logs: Sequence[Path]) -> None:
    """Remove a report on what the logs held before one of them was written anew."""
    pages = [page.stat().st_mtime_ns for page in report.glob("*")]
    if pages and max(log.stat().st_mtime_ns for log in logs) > min(pages):
        shutil.rmtree(report)
