"""Map a text, or a file of records: the whole job behind ``map``, in one call."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import IO, TYPE_CHECKING, get_args

from cybersecqwen import __version__
from cybersecqwen.apps.classifier import Classifier, ClassifierSpec, open_classifier
from cybersecqwen.apps.engine import open_engine
from cybersecqwen.apps.map_output import MapOutput, single_text
from cybersecqwen.apps.map_stream import MapOptions, MapOutcome, map_stream, map_windows
from cybersecqwen.apps.map_summary import MapSummary, MapTally
from cybersecqwen.apps.outputs.record_facts import is_unlabelled
from cybersecqwen.apps.outputs.registry import format_named, format_of_file
from cybersecqwen.apps.outputs.rows import MapRow, RowMaker
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
from cybersecqwen.apps.report import report_format
from cybersecqwen.core.engine import Engine
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.interfaces import CweClassifier
from cybersecqwen.core.records import Advisory, Labeller, RecordProblem
from cybersecqwen.core.taxonomy import shipped_taxonomy

if TYPE_CHECKING:
    from cybersecqwen.sources import ReadPosition

__all__ = [
    "ClassifierSpec",
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


@dataclass(frozen=True, slots=True, kw_only=True)
class MapJob(RecordJob):
    """What to map, by what, and where to; see ``RecordJob`` for what is read and written.

    Attributes:
        text: A vulnerability description to map, in place of records.
        classifier: A classifier, or what names one.
        options: What is asked of it.
        precision: Share of the answers that is to be right (0 to 1), in place of a threshold.
        only_unlabelled: Leave out records that somebody has assigned a weakness to.
        to: What to write; a name of ``outputs.registry.FORMATS``. Empty for what the output's
            ending says, else ``jsonl``.
        width: Columns of the terminal, for a table.
        allowed_only: Propose only ids that MITRE allows for mapping; see ``RowMaker``.
        org_id: UUID of the organisation that publishes CVE containers; see ``OutputContext``.
        disagreements: Write the rows alone whose answer is not among the record's own labels.
        reports: Reports to write over the same rows, files or URLs; see ``write_report``.
    """

    text: str | None = None
    classifier: Classifier = field(default_factory=ClassifierSpec)
    options: MapOptions = field(default_factory=MapOptions)
    precision: float | None = None
    only_unlabelled: bool = False
    to: str = ""
    width: int = 120
    allowed_only: bool = False
    org_id: str = ""
    disagreements: bool = False
    reports: tuple[Path | str, ...] = ()


def run_map_job(
    job: MapJob,
    *,
    sink: IO[bytes] | None = None,
    progress: OnProgress = ignore,
    report: ReportProblem = lambda _: None,
    notice: Notice = lambda _: None,
) -> MapSummary:
    """Map a text, or all records of a source, and write the answers.

    Args:
        job: What to do.
        sink: Where rows go as they come, if ``job`` names no output.
        progress: Called after each window of records; counts records.
        report: Called with each problem; rejected, reserved and withdrawn records are counted
            alone.
        notice: Called with a line about what was found of an interrupted run, or about the output.

    Raises:
        InputError: The source or a model cannot be used, or the output cannot be written.
        MissingExtraError: A model, an engine or a URL needs an optional package.
        ModelError: The model is damaged, or does not know the labeller.
    """
    started = time.monotonic()
    tally = MapTally(report)
    with job_files(job, notice, job.reports) as files:
        mapping = _opened(job, files, _format(job, files, sink))

        def summary() -> MapSummary:
            return tally.summary(
                shipped_taxonomy(),
                seconds=time.monotonic() - started,
                model=mapping.classifier.name,
                output=files.output_name,
            )

        if job.text is not None:
            shown = _map_text(mapping, job.text, tally)
            if sink:
                sink.write(shown)
            return summary()
        with closing(_output(mapping, summary)) as output:
            if files.output:
                _write_file(mapping, files.output, output, tally, progress)
            elif sink:
                windows = _windows(mapping, tally, progress)
                # The first comes before a byte is written: the source may be unusable.
                first = next(windows, [])
                sink.writelines(output.pieces(chain(first, chain.from_iterable(windows))))
            output.write_reports()
    return summary()


def _format(job: MapJob, files: JobFiles, sink: IO[bytes] | None) -> str:
    """Return the name of the format to write, once it is known to go with the rest of the job."""
    if job.to:
        chosen = format_named(job.to)
    else:
        chosen = format_of_file(files.output) if files.output else format_named("jsonl")
    if chosen.binary and not files.output and sink and sink.isatty():
        raise InputError(f"{chosen.name} is nothing for a terminal: give an --output FILE")
    for report in files.reports:
        report_format(report)
    explains = isinstance(job.classifier, ClassifierSpec) and job.classifier.explain
    if explains and chosen.name in {"csv", "sarif"}:
        raise InputError(f"{chosen.name} has no place for --explain; write jsonl or a table")
    return chosen.name


@dataclass(frozen=True, slots=True)
class _MappingRun:
    """A job whose files, classifier and engine are at hand."""

    job: MapJob
    files: JobFiles
    classifier: CweClassifier
    options: MapOptions
    engine: Engine
    to: str


def _opened(job: MapJob, files: JobFiles, to: str) -> _MappingRun:
    classifier, options = open_classifier(job.classifier, job.options, job.precision)
    return _MappingRun(job, files, classifier, options, open_engine(job.engine, job.workers), to)


def _map_text(mapping: _MappingRun, text: str, tally: MapTally) -> bytes:
    """Map one text and return its answer as it is shown."""
    classifier, options = mapping.classifier, mapping.options
    maker = RowMaker(shipped_taxonomy(), classifier.name, allowed_only=mapping.job.allowed_only)

    def row_of(labeller: Labeller) -> MapRow:
        prediction = classifier.map(
            text, labeller=labeller, top_k=options.top_k, threshold=options.threshold
        )
        if labeller == options.labeller:
            tally.add([MapOutcome(Advisory("text", text), prediction)])
        return maker.row("text", prediction, text)

    row = row_of(options.labeller)
    if row.warning:
        mapping.files.notice(f"cybersecqwen: {row.warning}")
    conventions: dict[str, MapRow] = {}
    # A language model, asked about a text at a time, would take its time for the second one.
    if mapping.to == "table" and classifier.window > 1:
        conventions = {
            name: row if name == options.labeller else row_of(name) for name in get_args(Labeller)
        }
    return single_text(row, mapping.to, width=mapping.job.width, conventions=conventions)


def _output(mapping: _MappingRun, summary: Callable[[], MapSummary]) -> MapOutput:
    job = mapping.job
    maker = RowMaker(shipped_taxonomy(), mapping.classifier.name, allowed_only=job.allowed_only)
    return MapOutput(
        mapping.files,
        mapping.to,
        maker,
        summary,
        labeller=mapping.options.labeller,
        width=job.width,
        org_id=job.org_id,
        disagreements=job.disagreements,
    )


def _windows(
    mapping: _MappingRun, tally: MapTally, progress: OnProgress, skip: int = 0
) -> Iterator[list[MapOutcome]]:
    """Read, answer and count records; yield their outcomes, as many as are answered together."""
    share = ReadShare()
    records = share.counted(_records(mapping, tally, share.position))
    for window in map_windows(
        records, mapping.classifier, mapping.options, skip=skip, engine=mapping.engine
    ):
        tally.add(window)
        yield window
        done = tally.records
        progress(JobProgress(MAPPING, done, share=share.of(done)))


def _records(
    mapping: _MappingRun, tally: MapTally, position: ReadPosition
) -> Iterator[Advisory | RecordProblem]:
    """Read records, and leave out what is not wanted."""
    job = mapping.job
    for record in read_job(job, mapping.files, position):
        if job.only_unlabelled and isinstance(record, Advisory) and not is_unlabelled(record):
            tally.labelled += 1
        else:
            yield record


def _write_file(
    mapping: _MappingRun, path: Path, output: MapOutput, tally: MapTally, progress: OnProgress
) -> None:
    """Write the output file by way of a part file, which stays if this breaks off."""
    job = mapping.job
    identity = identity_of(job, mapping.files.source, mapping.classifier, mapping.options)
    part = PartFile(
        path,
        identity,
        MapOutcome,
        resume=job.resume,
        restart=job.restart,
        notice=mapping.files.notice,
    )
    with closing(part):
        tally.add(part.outcomes())
        for window in _windows(mapping, tally, progress, skip=part.done):
            part.append(window)
        progress(JobProgress(WRITING, tally.records, share=1.0))
        part.finish(output.pieces(part.outcomes()))


def identity_of(
    job: MapJob, source: Path | None, classifier: CweClassifier, options: MapOptions
) -> RunIdentity:
    """Return what must be the same for a job to be gone on with.

    Args:
        job: The job.
        source: Its source on this machine.
        classifier: Its classifier.
        options: What is asked of it.
    """
    return RunIdentity(
        input=identify_input(source) if source else (),
        settings={
            "format": job.format,
            "text_column": job.text_column,
            "id_column": job.id_column,
            "labeller": options.labeller,
            "top_k": str(options.top_k),
            "threshold": str(options.threshold),
            "only_unlabelled": str(job.only_unlabelled),
        },
        model=classifier.digest,
        version=__version__,
    )
