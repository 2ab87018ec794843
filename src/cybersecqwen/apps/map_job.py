"""Map a file of records to an output: the whole job behind ``map --input``."""

from __future__ import annotations

import io
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from typing import IO, Any

import msgspec

from cybersecqwen import __version__
from cybersecqwen.apps.map_stream import MapOptions, MapOutcome, map_stream, map_windows
from cybersecqwen.apps.outputs.compression import gzipped
from cybersecqwen.apps.outputs.registry import OutputContext, Writer, format_named
from cybersecqwen.apps.outputs.rows import RecordRow, RowMaker
from cybersecqwen.apps.part_file import PartFile, RunIdentity, identify_input
from cybersecqwen.apps.progress import JobProgress, OnProgress, ignore
from cybersecqwen.core.interfaces import CweClassifier
from cybersecqwen.core.records import Advisory, RecordProblem
from cybersecqwen.core.taxonomy import Taxonomy, shipped_taxonomy
from cybersecqwen.sources import ReadPosition, read_advisories
from cybersecqwen.sources.io.streams import ByteSource
from cybersecqwen.sources.io.unpack import open_sources

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

COMMONEST = 5
"""Weaknesses that a summary names."""

SKIPPED_KINDS = ("rejected", "reserved", "withdrawn")
"""Kinds of ``RecordProblem`` that are no failures: records that say of themselves to be ignored."""

ReportProblem = Callable[[RecordProblem], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class MapJob:
    """What to map, how, and where to.

    Attributes:
        source: A file or folder of records; None for standard input.
        classifier: A specialist, or a language model with one's shortlist.
        options: What is asked of it.
        format: What ``source`` holds; see ``sources.read_advisories``.
        to: What to write; a name of ``outputs.registry.FORMATS``.
        output: The file to write, whole or not at all; None writes into a stream as rows come.
            One that ends in ``.gz`` is compressed.
        width: Columns of the terminal, for a table.
        allowed_only: Propose only ids that MITRE allows for mapping; see ``RowMaker``.
        org_id: UUID of the organisation that publishes CVE containers; see ``OutputContext``.
        resume: Insist on going on with an interrupted run; see ``PartFile``.
        restart: Begin anew, even where an interrupted run could be gone on with.
        stdin: What to read as standard input; None for the process's own.
    """

    source: Path | None
    classifier: CweClassifier
    options: MapOptions = field(default_factory=MapOptions)
    format: str = "auto"
    to: str = "jsonl"
    output: Path | None = None
    width: int = 120
    allowed_only: bool = False
    org_id: str = ""
    resume: bool = False
    restart: bool = False
    stdin: IO[bytes] | None = None


class CommonWeakness(msgspec.Struct, frozen=True):
    """A weakness and how many records were given it."""

    cwe: str
    name: str
    records: int


class MapSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a job's records.

    Attributes:
        records: Records of the input, of every kind.
        answered: Those with an answer, sure or unsure.
        unsure: Those whose answer is under the threshold.
        rejected: Those that the CVE Program or NVD has rejected; not failures.
        reserved: Those whose id is only reserved; not failures.
        withdrawn: Those that were withdrawn; not failures.
        problems: Those that could not be used; each has been reported.
        commonest: Weaknesses given most often, unsure answers left out.
        seconds: Wall-clock time.
        model: Name and version of the model.
        output: The file written; None where rows went to a stream.
    """

    records: int
    answered: int
    unsure: int
    rejected: int
    reserved: int
    withdrawn: int
    problems: int
    commonest: tuple[CommonWeakness, ...]
    seconds: float
    model: str
    output: str | None = None


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
    run = _Run(job, progress, report, notice)
    if job.output:
        _write_file(run, job.output, notice)
    elif sink:
        _write_stream(run, sink)
    return run.summary()


class _Run:
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
        self._position = ReadPosition()
        self._maker = RowMaker(
            shipped_taxonomy(),
            job.classifier.name,
            allowed_only=job.allowed_only,
            labeller=job.options.labeller,
        )
        self._tally = _Tally()
        self._started = time.monotonic()

    def windows(self, skip: int = 0) -> Iterator[list[MapOutcome]]:
        """Yield outcomes as they come, after telling the caller how far the job is."""
        job = self.job
        read = 0

        def counted() -> Iterator[Advisory | RecordProblem]:
            nonlocal read
            for record in read_advisories(
                job.source, job.format, stdin=job.stdin, position=self._position
            ):
                read += 1
                yield record

        for window in map_windows(counted(), job.classifier, job.options, skip=skip):
            self.count(window)
            yield window
            done = self._tally.records
            fraction = self._position.fraction
            # What has been read ahead is not done yet.
            share = fraction and fraction * done / max(read, done)
            self._progress(JobProgress(MAPPING, done, share=share))

    def finishing(self) -> None:
        """Tell the caller that all records are done."""
        self._progress(JobProgress(WRITING, self._tally.records, share=1.0))

    def count(self, outcomes: Iterable[MapOutcome]) -> None:
        """Count outcomes and report their problems."""
        for outcome in outcomes:
            self._tally.add(outcome)
            if outcome.problem and outcome.problem.kind not in SKIPPED_KINDS:
                self._report(outcome.problem)

    def write(self, outcomes: Iterable[MapOutcome]) -> Iterator[bytes]:
        """Yield the output's bytes."""
        job = self.job
        failed: list[dict[str, str]] = []

        def beside() -> dict[str, Any]:
            return {"problems": failed, "model": job.classifier.name, "summary": self.summary()}

        context = OutputContext(
            taxonomy=shipped_taxonomy(),
            version=__version__,
            width=job.width,
            title=job.source.name if job.source else "standard input",
            org_id=job.org_id,
            documents=partial(_documents, job.source) if job.source else None,
            closing=beside,
        )
        keeps_problems = job.to == "json"
        rows = self._rows(outcomes, failed if keeps_problems else None)
        writer = format_named(job.to).open(context)
        pieces = _told(writer(rows), writer, self._notice)
        compressed = job.output is not None and job.output.suffix.lower() == ".gz"
        return gzipped(pieces) if compressed else pieces

    def _rows(
        self, outcomes: Iterable[MapOutcome], failed: list[dict[str, str]] | None
    ) -> Iterator[RecordRow]:
        """Yield the row of each record that has an answer; keep the problems where asked to."""
        for outcome in outcomes:
            if outcome.record and outcome.prediction:
                yield self._maker.record_row(outcome.record, outcome.prediction)
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


class _Tally:
    """Counts of what became of records."""

    def __init__(self) -> None:
        self.records = 0
        self._answered = 0
        self._unsure = 0
        self._problems: Counter[str] = Counter()
        self._weaknesses: Counter[str] = Counter()

    def add(self, outcome: MapOutcome) -> None:
        """Count an outcome."""
        if outcome.problem and outcome.problem.kind == "note":
            return  # says something of the input as a whole
        self.records += 1
        if outcome.problem:
            self._problems[outcome.problem.kind] += 1
        elif outcome.prediction:
            self._answered += 1
            if outcome.prediction.abstained:
                self._unsure += 1
            else:
                self._weaknesses[outcome.prediction.cwe] += 1

    def summary(
        self, taxonomy: Taxonomy, *, seconds: float, model: str, output: str | None
    ) -> MapSummary:
        """Return the counts, with the commonest weaknesses named."""
        skipped = {kind: self._problems[kind] for kind in SKIPPED_KINDS}
        # The smaller id first where two are given equally often, so that runs agree.
        commonest = sorted(self._weaknesses.items(), key=lambda item: (-item[1], _number(item[0])))
        return MapSummary(
            records=self.records,
            answered=self._answered,
            unsure=self._unsure,
            **skipped,
            problems=self._problems.total() - sum(skipped.values()),
            commonest=tuple(
                CommonWeakness(cwe, taxonomy.name(cwe), count)
                for cwe, count in commonest[:COMMONEST]
            ),
            seconds=round(seconds, 2),
            model=model,
            output=output,
        )


def _number(cwe: str) -> int:
    return int(cwe.removeprefix("CWE-"))


def _write_file(run: _Run, output: Path, notice: Callable[[str], None]) -> None:
    """Write the output file by way of a part file, which stays if this breaks off."""
    part = PartFile(
        output,
        identity_of(run.job),
        resume=run.job.resume,
        restart=run.job.restart,
        notice=notice,
    )
    with closing(part):
        run.count(part.outcomes())
        for window in run.windows(skip=part.done):
            part.append(window)
        run.finishing()
        part.finish(run.write)


def _write_stream(run: _Run, sink: IO[bytes]) -> None:
    """Write into a stream, nothing of it where the source turns out to be unusable."""
    windows = run.windows()
    first = next(windows, [])
    outcomes = chain(first, chain.from_iterable(windows))
    sink.writelines(run.write(outcomes))


def _documents(source: Path) -> Iterator[tuple[str, bytes]]:
    """Open an input again, for outputs that fill in its own documents."""
    for found in open_sources(source, io.BytesIO()):
        if isinstance(found, ByteSource):
            yield found.name, found.read()


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
            "labeller": job.options.labeller,
            "top_k": str(job.options.top_k),
            "threshold": str(job.options.threshold),
        },
        model=job.classifier.digest,
        version=__version__,
    )
