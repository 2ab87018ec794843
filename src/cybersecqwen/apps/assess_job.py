"""Assess or audit a file of records: the whole job behind ``assess --input`` and ``audit``."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import IO, Any

import msgspec

from cybersecqwen import __version__
from cybersecqwen.apps.assess import Assessor
from cybersecqwen.apps.assess_stream import (
    AssessmentRows,
    AssessOutcome,
    WholeRows,
    assess_windows,
)
from cybersecqwen.apps.audit import Differences, surest_first
from cybersecqwen.apps.part_file import PartFile, RunIdentity, identify_input
from cybersecqwen.apps.progress import JobProgress, OnProgress, ignore
from cybersecqwen.apps.record_windows import ReadShare
from cybersecqwen.core.engine import Engine, LocalEngine
from cybersecqwen.core.jsonl import json_line
from cybersecqwen.core.records import RecordProblem
from cybersecqwen.sources import read_advisories

ASSESSING = "assessing"
WRITING = "writing the output"
"""Stages of a job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssessJob:
    """What to assess, how, and where to.

    Attributes:
        source: A file or folder of records; None for standard input.
        source_name: What to call it in messages, where that is not its path.
        assessor: The specialists.
        rows: What is made of what they say: ``WholeRows``, or ``Differences``, which are sorted
            at the end.
        threshold: As for ``Assessor.assess_many``.
        format: What ``source`` holds; see ``sources.read_advisories``.
        output: The file to write, whole or not at all; None writes into a stream.
        resume: Insist on going on with an interrupted run; see ``PartFile``.
        restart: Begin anew, even where an interrupted run could be gone on with.
        stdin: What to read as standard input; None for the process's own.
        engine: Where records are assessed; the output is the same, byte for byte.
    """

    source: Path | None
    assessor: Assessor
    source_name: str = ""
    rows: AssessmentRows = field(default_factory=WholeRows)
    threshold: float | None = None
    format: str = "auto"
    output: Path | None = None
    resume: bool = False
    restart: bool = False
    stdin: IO[bytes] | None = None
    engine: Engine = field(default_factory=LocalEngine)


class AssessSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a job's records.

    Attributes:
        records: Records of the input, of every kind.
        rows: Rows written.
        skipped: Records that say of themselves to be ignored (rejected, reserved, withdrawn).
        problems: Those that could not be used; each has been reported.
        seconds: Wall-clock time.
        output: The file written; None where rows went to a stream.
    """

    records: int
    rows: int
    skipped: int
    problems: int
    seconds: float
    output: str | None = None

    def describe(self, noun: str) -> str:
        """Return the closing lines of a run; ``noun`` says what a row is."""
        parts = [f"{self.rows:,} {noun}", *([f"{self.skipped:,} skipped"] if self.skipped else [])]
        parts.append(f"{self.problems:,} problem{'' if self.problems == 1 else 's'}")
        records = f"{self.records:,} record{'' if self.records == 1 else 's'}"
        written = f"\nwritten to {self.output}" if self.output else ""
        return f"{records} in {self.seconds:,.1f} s: {'; '.join(parts)}{written}"


def run_assess_job(
    job: AssessJob,
    *,
    sink: IO[bytes] | None = None,
    progress: OnProgress = ignore,
    report: Callable[[RecordProblem], None] = lambda _: None,
    notice: Callable[[str], None] = lambda _: None,
) -> AssessSummary:
    """Assess all records of a source and write the rows as JSON lines.

    Args:
        job: What to do.
        sink: Where rows go, if ``job`` names no output.
        progress: Called after each window of records; counts records.
        report: Called with each record that failed, in the input's order.
        notice: Called with a line about what was found of an interrupted run.

    Raises:
        InputError: The source cannot be used, or the output cannot be written.
        ModelError: A model does not know the labeller.
    """
    run = _AssessRun(job, progress, report)
    if job.output:
        part = PartFile(
            job.output,
            identity_of(job),
            AssessOutcome,
            resume=job.resume,
            restart=job.restart,
            notice=notice,
        )
        with closing(part):
            part.fill(run.windows, run.count)
            progress(JobProgress(WRITING, run.records, share=1.0))
            part.finish(run.write)
    elif sink:
        sink.writelines(run.write(chain.from_iterable(run.windows())))
    return run.summary()


def identity_of(job: AssessJob) -> RunIdentity:
    """Return what must be the same for a job to be gone on with."""
    return RunIdentity(
        input=identify_input(job.source) if job.source else (),
        settings={
            "format": job.format,
            "rows": type(job.rows).__name__,
            "labeller": job.rows.labeller,
            "threshold": str(job.threshold),
        },
        model=job.assessor.digest,
        version=__version__,
    )


class _AssessRun:
    """A job under way."""

    def __init__(
        self, job: AssessJob, progress: OnProgress, report: Callable[[RecordProblem], None]
    ) -> None:
        self.job = job
        self.records = 0
        self._rows = 0
        self._problems: Counter[bool] = Counter()
        self._progress = progress
        self._report = report
        self._share = ReadShare()
        self._started = time.monotonic()

    def windows(self, skip: int = 0) -> Iterator[list[AssessOutcome]]:
        """Yield outcomes as they come, after telling the caller how far the job is."""
        job = self.job
        read = read_advisories(
            job.source,
            job.format,
            stdin=job.stdin,
            name=job.source_name,
            position=self._share.position,
        )
        for window in assess_windows(
            self._share.counted(read),
            job.assessor,
            job.rows,
            threshold=job.threshold,
            skip=skip,
            engine=job.engine,
        ):
            self.count(window)
            yield window
            done = self.records
            self._progress(JobProgress(ASSESSING, done, share=self._share.of(done)))

    def count(self, outcomes: Iterable[AssessOutcome]) -> None:
        """Count outcomes and report their problems."""
        for outcome in outcomes:
            problem = outcome.problem
            if problem and problem.kind == "note":
                self._report(problem)
                continue
            self.records += 1
            self._rows += outcome.row is not None
            if problem:
                self._problems[problem.is_failure] += 1
                if problem.is_failure:
                    self._report(problem)

    def write(self, outcomes: Iterable[AssessOutcome]) -> Iterator[bytes]:
        """Yield the output's lines."""
        rows: Iterable[dict[str, Any]] = (o.row for o in outcomes if o.row is not None)
        if isinstance(self.job.rows, Differences):
            rows = surest_first(rows)
        return map(json_line, rows)

    def summary(self) -> AssessSummary:
        """Return what has become of the records."""
        return AssessSummary(
            records=self.records,
            rows=self._rows,
            skipped=self._problems[False],
            problems=self._problems[True],
            seconds=round(time.monotonic() - self._started, 2),
            output=str(self.job.output) if self.job.output else None,
        )
