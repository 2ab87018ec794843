"""Assess or audit a file of records: the whole job behind ``assess --input`` and ``audit``."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
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
from cybersecqwen.apps.engine import open_engine
from cybersecqwen.apps.part_file import PartFile, RunIdentity, identify_input
from cybersecqwen.apps.progress import JobProgress, OnProgress, ignore
from cybersecqwen.apps.record_job import (
    JobFiles,
    Notice,
    RecordJob,
    ReportProblem,
    job_files,
)
from cybersecqwen.apps.record_windows import ReadShare
from cybersecqwen.core.jsonl import json_line
from cybersecqwen.sources import read_advisories

ASSESSING = "assessing"
WRITING = "writing the output"
"""Stages of a job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssessJob(RecordJob):
    """What to assess, and how; see ``RecordJob`` for what is read and written.

    Attributes:
        assessor: The specialists.
        rows: What is made of what they say: ``WholeRows``, or ``Differences``, which are sorted
            at the end.
        threshold: As for ``Assessor.assess_many``.
    """

    assessor: Assessor
    rows: AssessmentRows = field(default_factory=WholeRows)
    threshold: float | None = None


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
    report: ReportProblem = lambda _: None,
    notice: Notice = lambda _: None,
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
        MissingExtraError: An engine or a URL needs an optional package.
        ModelError: A model does not know the labeller.
    """
    with job_files(job, notice) as files:
        run = _AssessRun(job, files, progress, report)
        if files.output:
            part = PartFile(
                files.output,
                _identity_of(job, files.source),
                AssessOutcome,
                resume=job.resume,
                restart=job.restart,
                notice=files.notice,
            )
            with closing(part):
                run.count(part.outcomes())
                for window in run.windows(skip=part.done):
                    part.append(window)
                progress(JobProgress(WRITING, run.records, share=1.0))
                part.finish(run.write(part.outcomes()))
        elif sink:
            sink.writelines(run.write(chain.from_iterable(run.windows())))
    return run.summary()


def _identity_of(job: AssessJob, source: Path | None) -> RunIdentity:
    """Return what must be the same for a job to be gone on with."""
    return RunIdentity(
        input=identify_input(source) if source else (),
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
        self, job: AssessJob, files: JobFiles, progress: OnProgress, report: ReportProblem
    ) -> None:
        self._job = job
        self._files = files
        self._engine = open_engine(job.engine, job.workers)
        self.records = 0
        self._rows = 0
        self._problems: Counter[bool] = Counter()
        self._progress = progress
        self._report = report
        self._share = ReadShare()
        self._started = time.monotonic()

    def windows(self, skip: int = 0) -> Iterator[list[AssessOutcome]]:
        """Yield outcomes as they come, after telling the caller how far the job is."""
        job = self._job
        read = read_advisories(
            self._files.source,
            job.format,
            stdin=job.stdin,
            name=self._files.source_name,
            position=self._share.position,
        )
        for window in assess_windows(
            self._share.counted(read),
            job.assessor,
            job.rows,
            threshold=job.threshold,
            skip=skip,
            engine=self._engine,
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
        if isinstance(self._job.rows, Differences):
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
            output=self._files.output_name,
        )
