"""Map a file of records to an output: the whole job behind ``map --input``."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from typing import IO, Any

from cybersecqwen import __version__
from cybersecqwen.apps.map_stream import MapOptions, MapOutcome, map_stream, map_windows
from cybersecqwen.apps.map_summary import SKIPPED_KINDS, MapSummary, MapTally
from cybersecqwen.apps.outputs.compression import gzipped
from cybersecqwen.apps.outputs.input_documents import input_documents
from cybersecqwen.apps.outputs.record_facts import is_unlabelled
from cybersecqwen.apps.outputs.registry import OutputContext, Writer, format_named
from cybersecqwen.apps.outputs.rows import MapRow, RecordRow, RowMaker
from cybersecqwen.apps.outputs.spool import RowSpool
from cybersecqwen.apps.part_file import PartFile, RunIdentity, identify_input
from cybersecqwen.apps.progress import JobProgress, OnProgress, ignore
from cybersecqwen.apps.record_windows import ReadShare
from cybersecqwen.apps.report import write_report
from cybersecqwen.apps.store import open_store, with_descriptions
from cybersecqwen.core.engine import Engine, LocalEngine
from cybersecqwen.core.interfaces import CweClassifier
from cybersecqwen.core.records import Advisory, RecordProblem
from cybersecqwen.core.taxonomy import shipped_taxonomy
from cybersecqwen.sources import read_advisories

__all__ = [
    "MapJob",
    "MapOptions",
    "MapOutcome",
    "MapSummary",
    "identity_of",
    "map_stream",
    "map_windows",
    "run_map_job",
]

MAPPING = "mapping"
WRITING = "writing the output"
"""Stages of a job."""

ReportProblem = Callable[[RecordProblem], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class MapJob:
    """What to map, how, and where to.

    Attributes:
        source: A file or folder of records; None for standard input.
        source_name: What to call it in messages and rows, where that is not its path.
        classifier: A specialist, or a language model with one's shortlist.
        options: What is asked of it.
        format: What ``source`` holds; see ``sources.read_advisories``.
        text_column: The column that holds the text, where its name does not tell.
        id_column: The same for the id.
        store: The local store's file, instead of where it lies by default.
        to: What to write; a name of ``outputs.registry.FORMATS``.
        output: The file to write, whole or not at all; None writes into a stream as rows come.
            One that ends in ``.gz`` is compressed.
        width: Columns of the terminal, for a table.
        allowed_only: Propose only ids that MITRE allows for mapping; see ``RowMaker``.
        org_id: UUID of the organisation that publishes CVE containers; see ``OutputContext``.
        only_unlabelled: Leave out records that somebody has assigned a weakness to.
        disagreements: Write the rows alone whose answer is not among the record's own labels.
        reports: Reports to write over the same rows; see ``write_report``.
        resume: Insist on going on with an interrupted run; see ``PartFile``.
        restart: Begin anew, even where an interrupted run could be gone on with.
        stdin: What to read as standard input; None for the process's own.
        engine: Where records are answered; the output is the same, byte for byte.
    """

    source: Path | None
    classifier: CweClassifier
    source_name: str = ""
    options: MapOptions = field(default_factory=MapOptions)
    format: str = "auto"
    text_column: str = ""
    id_column: str = ""
    store: Path | None = None
    to: str = "jsonl"
    output: Path | None = None
    width: int = 120
    allowed_only: bool = False
    org_id: str = ""
    only_unlabelled: bool = False
    disagreements: bool = False
    reports: tuple[Path, ...] = ()
    resume: bool = False
    restart: bool = False
    stdin: IO[bytes] | None = None
    engine: Engine = field(default_factory=LocalEngine)


def run_map_job(
    job: MapJob,
    *,
    sink: IO[bytes] | None = None,
    progress: OnProgress = ignore,
    report: ReportProblem = lambda _: None,
    notice: Callable[[str], None] = lambda _: None,
) -> MapSummary:
    """Map all records of a source and write the answers.

    Args:
        job: What to do.
        sink: Where rows go as they come, if ``job`` names no output.
        progress: Called after each window of records; counts records.
        report: Called with each problem, in the input's order; rejected, reserved and withdrawn
            records are counted alone.
        notice: Called with a line about what was found of an interrupted run, or about the output.

    Raises:
        InputError: The source cannot be used, or the output cannot be written.
        ModelError: The model does not know the labeller.
    """
    run = _MapRun(job, progress, report, notice)
    if job.output:
        _write_file(run, job.output, notice)
    elif sink:
        _write_stream(run, sink)
    return run.summary()


class _MapRun:
    """A job under way."""

    def __init__(
        self,
        job: MapJob,
        progress: OnProgress,
        report: ReportProblem,
        notice: Callable[[str], None],
    ) -> None:
        self.job = job
        self._notice = notice
        self._progress = progress
        self._report = report
        self._share = ReadShare()
        self._maker = RowMaker(
            shipped_taxonomy(),
            job.classifier.name,
            allowed_only=job.allowed_only,
            labeller=job.options.labeller,
        )
        self._tally = MapTally()
        self._started = time.monotonic()

    def windows(self, skip: int = 0) -> Iterator[list[MapOutcome]]:
        """Yield outcomes as they come, after telling the caller how far the job is."""
        job = self.job
        records = self._share.counted(self._records())
        for window in map_windows(
            records, job.classifier, job.options, skip=skip, engine=job.engine
        ):
            self.count(window)
            yield window
            done = self._tally.records
            self._progress(JobProgress(MAPPING, done, share=self._share.of(done)))

    def _records(self) -> Iterator[Advisory | RecordProblem]:
        job = self.job
        records = read_advisories(
            job.source,
            job.format,
            stdin=job.stdin,
            name=job.source_name,
            text_column=job.text_column,
            id_column=job.id_column,
            position=self._share.position,
        )
        for record in with_descriptions(records, open_store(job.store), self._notice):
            if job.only_unlabelled and _is_labelled(record):
                self._tally.labelled += 1
            else:
                yield record

    def finishing(self) -> None:
        """Tell the caller that all records are done."""
        self._progress(JobProgress(WRITING, self._tally.records, share=1.0))

    def count(self, outcomes: Iterable[MapOutcome]) -> None:
        """Count outcomes and report their problems."""
        for outcome in outcomes:
            self._tally.add(outcome)
            if outcome.problem and outcome.problem.kind not in SKIPPED_KINDS:
                self._report(outcome.problem)

    def write(
        self, outcomes: Iterable[MapOutcome], *, spool: RowSpool | None = None
    ) -> Iterator[bytes]:
        """Yield the output's bytes; keep the rows in a spool for what else is made of them."""
        job = self.job
        failed: list[dict[str, str]] = []

        def beside() -> dict[str, Any]:
            return {"problems": failed, "model": job.classifier.name, "summary": self.summary()}

        context = OutputContext(
            taxonomy=shipped_taxonomy(),
            version=__version__,
            width=job.width,
            title=self.title,
            org_id=job.org_id,
            documents=input_documents(job.source) if job.source else None,
            closing=beside,
        )
        keeps_problems = job.to == "json"
        rows = self._rows(outcomes, failed if keeps_problems else None)
        writer = format_named(job.to).open(context)
        kept = rows if spool is None else spool.passing(rows)
        pieces = _told(writer(kept), writer, self._notice)
        compressed = job.output is not None and job.output.suffix.lower() == ".gz"
        return gzipped(pieces) if compressed else pieces

    def report(self, rows: Iterable[MapRow]) -> None:
        """Write the reports."""
        for path in self.job.reports:
            write_report(path, rows, title=self.title)
            self._notice(f"report written to {path}")

    @property
    def title(self) -> str:
        """What was mapped, for a heading."""
        return self.job.source.name if self.job.source else "standard input"

    def _rows(
        self, outcomes: Iterable[MapOutcome], failed: list[dict[str, str]] | None
    ) -> Iterator[RecordRow]:
        """Yield the row of each record that has an answer; keep the problems where asked to."""
        for outcome in outcomes:
            if outcome.record and outcome.prediction:
                row = self._maker.record_row(outcome.record, outcome.prediction)
                if row.agrees is False or not self.job.disagreements:
                    yield row
            elif failed is not None and outcome.problem and outcome.problem.is_failure:
                failed.append(outcome.problem.row())

    def summary(self) -> MapSummary:
        """Return what has become of the records so far."""
        return self._tally.summary(
            shipped_taxonomy(),
            seconds=time.monotonic() - self._started,
            model=self.job.classifier.name,
            output=str(self.job.output) if self.job.output else None,
        )


def _is_labelled(record: Advisory | RecordProblem) -> bool:
    return isinstance(record, Advisory) and not is_unlabelled(record)


def _write_file(run: _MapRun, output: Path, notice: Callable[[str], None]) -> None:
    """Write the output file by way of a part file, which stays if this breaks off."""
    part = PartFile(
        output,
        identity_of(run.job),
        MapOutcome,
        resume=run.job.resume,
        restart=run.job.restart,
        notice=notice,
    )
    with closing(part):
        part.fill(run.windows, run.count)
        run.finishing()
        with RowSpool() as spool:
            part.finish(partial(run.write, spool=spool if run.job.reports else None))
            run.report(spool)


def _write_stream(run: _MapRun, sink: IO[bytes]) -> None:
    """Write into a stream, nothing of it where the source turns out to be unusable."""
    windows = run.windows()
    first = next(windows, [])
    outcomes = chain(first, chain.from_iterable(windows))
    with RowSpool() as spool:
        sink.writelines(run.write(outcomes, spool=spool if run.job.reports else None))
        run.report(spool)


def _told(
    pieces: Iterator[bytes], writer: Writer, notice: Callable[[str], None]
) -> Iterator[bytes]:
    """Pass an output's bytes on, then tell what its writer has to say of it."""
    yield from pieces
    for note in getattr(writer, "notes", ()):
        notice(note)


def identity_of(job: MapJob) -> RunIdentity:
    """Return what must be the same for a job to be gone on with."""
    return RunIdentity(
        input=identify_input(job.source) if job.source else (),
        settings={
            "format": job.format,
            "text_column": job.text_column,
            "id_column": job.id_column,
            "labeller": job.options.labeller,
            "top_k": str(job.options.top_k),
            "threshold": str(job.options.threshold),
            "only_unlabelled": str(job.only_unlabelled),
        },
        model=job.classifier.digest,
        version=__version__,
    )
