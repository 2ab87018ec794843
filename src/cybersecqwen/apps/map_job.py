"""Map a stream of records into a file, so that a killed run can go on where it stopped."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import IO

import msgspec

from cybersecqwen.apps.outputs.rows import MapRow, RowMaker
from cybersecqwen.apps.outputs.writers import Writer, write_jsonl
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.files import atomic_write, write_json
from cybersecqwen.core.interfaces import CweClassifier
from cybersecqwen.core.locks import exclusive
from cybersecqwen.core.records import Advisory, Labeller, RecordProblem
from cybersecqwen.core.text.clean import clean
from cybersecqwen.specialists.mapper import WINDOW


class MapOptions(msgspec.Struct, frozen=True):
    """What is asked of the model; see ``CweMapper.map``."""

    labeller: Labeller = "nvd"
    top_k: int = 5
    threshold: float | None = None


def map_records(
    mapper: CweClassifier,
    records: Iterable[Advisory | RecordProblem],
    options: MapOptions,
    maker: RowMaker,
    report: Callable[[RecordProblem], None],
    *,
    done: int = 0,
) -> Iterator[MapRow]:
    """Return the row of each usable record, in order.

    Args:
        mapper: The model.
        records: What a parser yields.
        options: What is asked of the model.
        maker: Turns predictions into rows.
        report: Called with every problem, in order.
        done: Rows that an earlier run has written; they are not returned again.
    """
    # Texts of a window are answered together, so a window begun is answered again as a whole.
    skipped = done - done % mapper.window
    pending: deque[str] = deque()

    def texts() -> Iterator[str]:
        usable = 0
        for number, record in enumerate(records, start=1):
            if isinstance(record, RecordProblem):
                report(record)
            elif not clean(record.description[:99]) and not clean(record.description):
                report(RecordProblem(f"record {number}", record.id, "description has no text"))
            else:
                usable += 1
                if usable > skipped:
                    pending.append(record.id)
                    yield record.description

    predictions = mapper.map_many(
        texts(), labeller=options.labeller, top_k=options.top_k, threshold=options.threshold
    )
    rows = (maker.row(pending.popleft(), prediction) for prediction in predictions)
    return islice(rows, done - skipped, None)


class RunIdentity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What must be the same for a run to be gone on with.

    Attributes:
        input: Path, size in bytes and modification time in nanoseconds of each input file.
        settings: Options by name, as text.
        model: Digest of the model.
        version: Version of this package.
    """

    input: tuple[tuple[str, int, int], ...]
    settings: dict[str, str]
    model: str
    version: str


def identify_input(path: Path) -> tuple[tuple[str, int, int], ...]:
    """Return path, size and modification time of a file, or of every file in a folder.

    Raises:
        InputError: It is not there or cannot be read.
    """
    try:
        found = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        stats = [(str(file.resolve()), file.stat()) for file in found]
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    return tuple((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats)


class PartFile:
    """Rows on their way to an output file, kept beside it as JSON lines until they are all there.

    ``NAME.part`` holds the rows and ``NAME.part.json`` what run they belong to. Both are gone
    when the output is there. The right to write the output is held until ``close``.

    Args:
        output: The file to be.
        identity: The run.
        resume: Whether to go on with the rows that are there; without it they are dropped.

    Raises:
        LockedError: Another run writes the output.
        InputError: The rows belong to another run, or nothing can be written there.
    """

    def __init__(self, output: Path, identity: RunIdentity, *, resume: bool) -> None:
        self._output = output
        self._part = output.with_name(f"{output.name}.part")
        self._journal = output.with_name(f"{output.name}.part.json")
        self.done = 0
        """Rows that are there already."""
        self._written = 0
        self._held = ExitStack()
        self._held.enter_context(exclusive(output))
        try:
            self._open(identity, resume=resume)
        except BaseException:
            self._held.close()
            raise

    def _open(self, identity: RunIdentity, *, resume: bool) -> None:
        try:
            if resume and self._journal.exists() and self._part.exists():
                self._check(identity)
                self.done = self._repair()
            else:
                self._part.unlink(missing_ok=True)
                write_json(self._journal, identity)
            self._stream: IO[bytes] = self._held.enter_context(self._part.open("ab"))
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> InputError:
        return InputError(f"{self._output}: cannot be written: {error.strerror}")

    def _check(self, identity: RunIdentity) -> None:
        try:
            found = msgspec.json.decode(self._journal.read_bytes(), type=RunIdentity)
        except msgspec.DecodeError as error:
            raise InputError(f"{self._journal}: damaged; run again without --resume") from error
        names = ("input", "settings", "model", "version")
        changed = [name for name in names if getattr(found, name) != getattr(identity, name)]
        if changed:
            raise InputError(
                f"{self._part}: belongs to a run with other {' and '.join(changed)}; "
                "repeat that run's command, or run again without --resume"
            )

    def _repair(self) -> int:
        """Cut the file after its last whole row; return how many there are."""
        decode = msgspec.json.Decoder(MapRow).decode
        rows = size = 0
        with self._part.open("r+b") as stream:
            for line in stream:
                try:
                    decode(line)
                except msgspec.DecodeError:
                    break
                if not line.endswith(b"\n"):
                    break
                rows += 1
                size += len(line)
            stream.truncate(size)
        return rows

    def write(self, rows: Iterable[MapRow], at_once: int = WINDOW) -> int:
        """Append rows, giving so many at once to the disk; return how many there were.

        Raises:
            InputError: The disk is full or gone. What is written stays for a later run.
        """
        count = 0
        lines = write_jsonl(rows)
        try:
            with self._stream:
                while chunk := list(islice(lines, at_once)):
                    self._stream.write(b"".join(chunk))
                    self._stream.flush()
                    os.fsync(self._stream.fileno())
                    count += len(chunk)
                    self._written += len(chunk)
        except OSError as error:
            raise self._unwritable(error) from error
        return count

    def discard_if_empty(self) -> None:
        """Leave nothing behind where no row was written."""
        self._stream.close()
        if self._part.stat().st_size == 0:
            self._discard()

    def _count(self) -> None:
        """See that the file has the rows that were read and written, no more and no fewer."""
        expected = self.done + self._written
        with self._part.open("rb") as lines:
            found = sum(1 for _ in lines)
        if found != expected:
            raise InputError(
                f"{self._part}: has {found:,} rows where {expected:,} were written; another "
                "program has changed it, so run again without --resume"
            )

    def close(self) -> None:
        """Let others write the output; what is written stays for a later run."""
        self._held.close()

    def _discard(self) -> None:
        self._part.unlink(missing_ok=True)
        self._journal.unlink(missing_ok=True)
        self.close()

    def finish(self, writer: Writer) -> None:
        """Turn the rows into the output.

        Raises:
            InputError: The disk is full or gone, or the rows are not those that were written.
        """
        try:
            self._count()
            if writer is write_jsonl:
                self._part.replace(self._output)
            else:
                with self._part.open("rb") as rows, atomic_write(self._output) as output:
                    decode = msgspec.json.Decoder(MapRow).decode
                    output.writelines(writer(map(decode, rows)))
            self._discard()
        except OSError as error:
            raise self._unwritable(error) from error
