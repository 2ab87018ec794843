"""What the jobs over files of records share: what they read and write, and where it lies."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from cybersecqwen.core.engine import Engine
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.records import Advisory, RecordProblem

if TYPE_CHECKING:
    from cybersecqwen.sources import ReadPosition

ReportProblem = Callable[[RecordProblem], None]
"""Called with each record that failed, in the input's order."""

Notice = Callable[[str], None]
"""Called with a line about what was found of an interrupted run, or about the output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordJob:
    """A job over records: what it reads, where it writes, and how it goes on.

    Attributes:
        source: A file or folder of records, or a URL of one (``s3://`` ...); None for standard
            input.
        format: What ``source`` holds; see ``sources.read_advisories``.
        stdin: What to read as standard input; None for the process's own.
        text_column: The column that holds the text, where its name does not tell.
        id_column: The same for the id.
        store: The local store's file, instead of where it lies by default.
        output: The file to write, whole or not at all, or a URL; None writes into a stream.
        resume: Insist on going on with an interrupted run; see ``PartFile``.
        restart: Begin anew, even where an interrupted run could be gone on with.
        engine: Where records are answered: an engine, or its name as ``EngineSpec.parse`` reads
            it. The output is the same, byte for byte.
        workers: Processes that answer, with a named engine that has them.
    """

    source: Path | str | None = None
    format: str = "auto"
    stdin: IO[bytes] | None = None
    text_column: str = ""
    id_column: str = ""
    store: Path | None = None
    output: Path | str | None = None
    resume: bool = False
    restart: bool = False
    engine: Engine | str | None = "local"
    workers: int | None = None


@dataclass(frozen=True, slots=True)
class JobFiles:
    """The files of a job, all of them on this machine.

    Attributes:
        source: What is read; None for standard input.
        source_name: What to call it in messages and rows, where that is not its path.
        output: What is written; None for a stream.
        output_name: What to call it; None for a stream.
        reports: Further files to write.
        notice: Tells a line, with every file by the name that the job gives it.
    """

    source: Path | None
    source_name: str
    output: Path | None
    output_name: str | None
    reports: tuple[Path, ...]
    notice: Notice


@contextmanager
def job_files(
    job: RecordJob, notice: Notice, reports: Sequence[Path | str] = ()
) -> Iterator[JobFiles]:
    """Bring what a job reads to this machine, and what it writes to its place at the end.

    Args:
        job: The job.
        notice: Told of each copy.
        reports: Files or URLs to write beside ``job.output``.

    Raises:
        InputError: A file cannot be read, or an output cannot be written, would replace what is
            no file, or would overwrite the source or another output.
        LockedError: Another job with the same URLs is under way.
        MissingExtraError: A URL needs fsspec, which is not installed.
    """
    read = [] if job.source is None else [str(job.source)]
    written = [str(place) for place in (job.output, *reports) if place is not None]
    if not any("://" in name for name in (*read, *written)):
        files = _files(job, reports, Path, lambda _: "", notice)
        _check(files)
        yield files
        return
    from cybersecqwen.apps.staging import Staging

    with Staging(notice) as staging:
        paths = staging.open(read, written)
        files = _files(
            job,
            reports,
            lambda name: paths[str(name)],
            staging.name_of,
            lambda line: notice(staging.told(line)),
        )
        _check(files)
        yield files


def read_job(
    job: RecordJob, files: JobFiles, position: ReadPosition
) -> Iterator[Advisory | RecordProblem]:
    """Yield a job's records; those without a text are given the local store's.

    Args:
        job: The job.
        files: Its files.
        position: Told how far its input is read.

    Raises:
        InputError: The source cannot be used, or the store is damaged.
    """
    # A single text is answered without the readers of every format.
    from cybersecqwen.apps.store import open_store, with_descriptions
    from cybersecqwen.sources import read_advisories

    records = read_advisories(
        files.source,
        job.format,
        stdin=job.stdin,
        name=files.source_name,
        text_column=job.text_column,
        id_column=job.id_column,
        position=position,
    )
    return with_descriptions(records, open_store(job.store), files.notice)


def _files(
    job: RecordJob,
    reports: Sequence[Path | str],
    path_of: Callable[[Path | str], Path],
    name_of: Callable[[Path | None], str],
    notice: Notice,
) -> JobFiles:
    source = None if job.source is None else path_of(job.source)
    output = None if job.output is None else path_of(job.output)
    return JobFiles(
        source,
        name_of(source),
        output,
        None if output is None else name_of(output) or str(output),
        tuple(map(path_of, reports)),
        notice,
    )


def _check(files: JobFiles) -> None:
    outputs = [*([files.output] if files.output else []), *files.reports]
    for output in outputs:
        if output.exists() and not output.is_file():
            raise InputError(
                f"{output}: no regular file, so it cannot be replaced by one; "
                "without --output rows go to standard output"
            )
        source = files.source
        if source and output.exists() and source.exists() and output.samefile(source):
            raise InputError(f"{output}: would overwrite the input")
    if len({output.absolute() for output in outputs}) < len(outputs):
        raise InputError("--output and each --report need a file of their own")
