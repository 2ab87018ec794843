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
from cybersecqwen.apps.assess import Assessor, record_row
from cybersecqwen.apps.assess_stream import (
    TEXT,
    AssessmentRows,
    AssessOutcome,
    WholeRows,
    assess_windows,
)
from cybersecqwen.apps.engine import open_engine
from cybersecqwen.apps.outputs.compression import gzipped
from cybersecqwen.apps.outputs.registry import OutputContext, format_named, format_of_file
from cybersecqwen.apps.outputs.spool import RowSpool
from cybersecqwen.apps.part_file import PartFile, RunIdentity, identify_input
from cybersecqwen.apps.progress import JobProgress, OnProgress, ignore
from cybersecqwen.apps.record_job import (
    JobFiles,
    Notice,
    RecordJob,
    ReportProblem,
    job_files,
    read_job,
)
from cybersecqwen.apps.record_windows import ReadShare
from cybersecqwen.apps.report import report_format, write_report
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.records import Labeller
from cybersecqwen.core.taxonomy import shipped_taxonomy

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
        to: What to write, one of ``rows.formats``. Empty for what the output's ending says, else
            ``jsonl``.
        width: Columns of the terminal, for a table.
        reports: Reports to write over the same rows, files or URLs; see ``write_report``.
    """

    assessor: Assessor
    rows: AssessmentRows = field(default_factory=WholeRows)
    threshold: float | None = None
    to: str = ""
    width: int = 120
    reports: tuple[Path | str, ...] = ()


class AssessSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a job's records.

    Attributes:
        records: Records of the input, of every kind.
        rows: Rows written.
        noun: What a row says of its record.
        labeller: Whose practice was followed.
        unsaid: Records in which that party says nothing to compare with.
        skipped: Records that say of themselves to be ignored (rejected, reserved, withdrawn).
        problems: Those that could not be used; each has been reported.
        seconds: Wall-clock time.
        output: The file written; None where rows went to a stream.
    """

    records: int
    rows: int
    noun: str
    labeller: Labeller
    unsaid: int
    skipped: int
    problems: int
    seconds: float
    output: str | None = None

    def describe(self) -> str:
        """Return the closing lines of a run."""
        parts = [f"{self.rows:,} {self.noun}"]
        whose = "NVD's" if self.labeller == "nvd" else "the publisher's"
        parts += [f"{self.unsaid:,} without {whose} weakness or vector"] if self.unsaid else []
        parts += [f"{self.skipped:,} skipped"] if self.skipped else []
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
    """Assess all records of a source and write the rows.

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
    with job_files(job, notice, job.reports) as files:
        run = _AssessRun(job, files, _format(job, files, sink), progress, report)
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
            windows = run.windows()
            # The first comes before a byte is written: the source may be unusable.
            first = next(windows, [])
            sink.writelines(run.write(chain(first, chain.from_iterable(windows))))
        run.write_reports()
    return run.summary()


def _format(job: AssessJob, files: JobFiles, sink: IO[bytes] | None) -> str:
    """Return the name of the format to write, once it is known to go with the rest of the job."""
    known = job.rows.formats
    chosen = job.to or (format_of_file(files.output).name if files.output else "jsonl")
    if chosen not in known:
        raise InputError(f"{chosen} cannot hold rows of this kind; there are {', '.join(known)}")
    binary = chosen != TEXT and format_named(chosen).binary
    if binary and not files.output and sink and sink.isatty():
        raise InputError(f"{chosen} is nothing for a terminal: give an --output FILE")
    for report in files.reports:
        report_format(report)
    return chosen


def _identity_of(job: AssessJob, source: Path | None) -> RunIdentity:
    """Return what must be the same for a job to be gone on with."""
    return RunIdentity(
        input=identify_input(source) if source else (),
        settings={
            "format": job.format,
            "text_column": job.text_column,
            "id_column": job.id_column,
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
        self,
        job: AssessJob,
        files: JobFiles,
        to: str,
        progress: OnProgress,
        report: ReportProblem,
    ) -> None:
        self._job = job
        self._files = files
        self._to = to
        self._title = files.source.name if files.source else "standard input"
        self._spool = RowSpool()
        self._failed: list[dict[str, str]] = []
        self._engine = open_engine(job.engine, job.workers)
        self.records = 0
        self._rows = self._unsaid = 0
        self._problems: Counter[bool] = Counter()
        self._progress = progress
        self._report = report
        self._share = ReadShare()
        self._started = time.monotonic()

    def windows(self, skip: int = 0) -> Iterator[list[AssessOutcome]]:
        """Yield outcomes as they come, after telling the caller how far the job is."""
        job = self._job
        read = read_job(job, self._files, self._share.position)
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
            self._unsaid += not outcome.asked and problem is None
            if problem:
                self._problems[problem.is_failure] += 1
                if problem.is_failure:
                    if self._to == "json":
                        self._failed.append(problem.row())
                    self._report(problem)

    def write(self, outcomes: Iterable[AssessOutcome]) -> Iterator[bytes]:
        """Return the output, in pieces; its rows are kept where reports are wanted."""
        job, output = self._job, self._files.output
        rows: Iterable[dict[str, Any]] = (o.row for o in outcomes if o.row is not None)
        if self._files.reports:
            rows = self._kept(rows)
        context = OutputContext(
            taxonomy=shipped_taxonomy(),
            version=__version__,
            width=job.width,
            title=self._title,
            closing=self._beside,
        )
        pieces = job.rows.write(rows, self._to, context)
        return gzipped(pieces) if output and output.suffix.lower() == ".gz" else pieces

    def write_reports(self) -> None:
        """Write the reports on the rows of the output."""
        for path in self._files.reports:
            write_report(path, self._spool, title=self._title)
            self._files.notice(f"report written to {path}")
        self._spool.close()

    def _kept(self, rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        for row in rows:
            self._spool.add(record_row(row))
            yield row

    def _beside(self) -> dict[str, Any]:
        """Return what is only known after the last row."""
        models, summary = self._job.assessor.models, self.summary()
        return {"problems": self._failed, "models": models, "summary": summary}

    def summary(self) -> AssessSummary:
        """Return what has become of the records."""
        return AssessSummary(
            records=self.records,
            rows=self._rows,
            noun=self._job.rows.noun,
            labeller=self._job.rows.labeller,
            unsaid=self._unsaid,
            skipped=self._problems[False],
            problems=self._problems[True],
            seconds=round(time.monotonic() - self._started, 2),
            output=self._files.output_name,
        )
