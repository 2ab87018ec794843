"""Outcomes on their way to an output file, kept beside it so that a killed run can go on."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO, Generic, TypeVar

import msgspec

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.files import write_json
from cybersecqwen.core.jsonl import json_line
from cybersecqwen.core.locks import exclusive

OutcomeT = TypeVar("OutcomeT")


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


class PartFile(Generic[OutcomeT]):
    """Outcomes of records as JSON lines beside an output file, until they are all there.

    ``NAME.part`` holds the outcomes, ``NAME.part.json`` what run they belong to, and at the end
    ``NAME.part.out`` the output until it is whole. All are gone when the output is there. What an
    interrupted run left is never dropped: the same run goes on with it, another run puts it aside
    under a name with a number. The right to write the output is held until ``close``.

    Args:
        output: The file to be.
        identity: The run.
        kind: Type of an outcome, as msgspec reads and writes it.
        resume: Refuse what belongs to another run, instead of putting it aside.
        restart: Begin anew, even where the same run could go on.
        notice: Called with a line about what was found of an interrupted run.

    Raises:
        LockedError: Another run writes the output.
        InputError: ``resume`` was asked for and the outcomes belong to another run, or nothing can
            be written there.
    """

    def __init__(
        self,
        output: Path,
        identity: RunIdentity,
        kind: type[OutcomeT],
        *,
        resume: bool = False,
        restart: bool = False,
        notice: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.output = output
        self._decode = msgspec.json.Decoder(kind).decode
        self._part = output.with_name(f"{output.name}.part")
        self._journal = output.with_name(f"{output.name}.part.json")
        self.done = 0
        """Outcomes that are there."""
        self._held = ExitStack()
        self._held.enter_context(exclusive(output))
        try:
            self._open(identity, notice, resume=resume, restart=restart)
        except BaseException:
            self._held.close()
            raise

    def _open(
        self, identity: RunIdentity, notice: Callable[[str], None], *, resume: bool, restart: bool
    ) -> None:
        try:
            changed = self._difference(identity)
            if changed and resume:
                raise InputError(f"{self._part}: {changed}; {_OTHER_RUN}")
            if changed is None and self._part.exists() and not restart:
                self.done = self._repair()
                if self.done:
                    notice(f"going on after {self.done:,} records of an interrupted run")
            else:
                self._put_aside(notice)
                write_json(self._journal, identity)
            self._stream: IO[bytes] = self._held.enter_context(self._part.open("ab"))
        except OSError as error:
            raise self._unwritable(error) from error

    def outcomes(self) -> Iterator[OutcomeT]:
        """Yield the outcomes that are there, in order."""
        with self._part.open("rb") as lines:
            yield from map(self._decode, lines)

    def append(self, outcomes: Iterable[OutcomeT]) -> None:
        """Add outcomes and give them to the disk.

        Raises:
            InputError: The disk is full or gone. What is written stays for a later run.
        """
        lines = [json_line(outcome) for outcome in outcomes]
        try:
            self._stream.write(b"".join(lines))
            self._stream.flush()
            os.fsync(self._stream.fileno())
        except OSError as error:
            raise self._unwritable(error) from error
        self.done += len(lines)

    def close(self) -> None:
        """Let others write the output; what is written stays for a later run, if anything is."""
        # A disk that was full may be so still; whole lines that were given to it are kept.
        with suppress(OSError):
            self._stream.close()
        if self.done == 0:
            self._discard()
        self._held.close()

    def finish(self, pieces: Iterable[bytes]) -> None:
        """Put the output in the place of the outcomes.

        Args:
            pieces: The output's bytes, made from ``outcomes`` as they are drawn.

        Raises:
            InputError: The disk is full or gone, or the outcomes are not those that were written.
        """
        # A name that is always the same, so that a run killed here leaves nothing for good.
        made = self.output.with_name(f"{self.output.name}.part.out")
        try:
            self._stream.close()
            self._count()
            with made.open("wb") as stream:
                stream.writelines(pieces)
                stream.flush()
                os.fsync(stream.fileno())
            made.replace(self.output)
            self._discard()
        except OSError as error:
            made.unlink(missing_ok=True)
            raise self._unwritable(error) from error

    def _count(self) -> None:
        """See that the file has the outcomes that were read and written, no more and no fewer."""
        with self._part.open("rb") as lines:
            found = sum(1 for _ in lines)
        if found != self.done:
            raise InputError(
                f"{self._part}: has {found:,} rows where {self.done:,} were written; another "
                "program has changed it, so run again with --restart"
            )

    def _difference(self, identity: RunIdentity) -> str | None:
        """Say in what the run that left its outcomes here differs; None if it is the same."""
        if not self._journal.exists():
            return "belongs to an unknown run" if self._part.exists() else None
        try:
            found = msgspec.json.decode(self._journal.read_bytes(), type=RunIdentity)
        except msgspec.DecodeError:
            return f"{self._journal.name} is damaged"
        names = ("input", "settings", "model", "version")
        changed = [name for name in names if getattr(found, name) != getattr(identity, name)]
        if changed:
            return f"belongs to a run with other {' and '.join(changed)}"
        return None if identity.input else "belongs to a run over another standard input"

    def _put_aside(self, notice: Callable[[str], None]) -> None:
        if self._part.exists() and self._part.stat().st_size:
            number = 1
            while (aside := self._part.with_name(f"{self._part.name}.{number}")).exists():
                number += 1
            self._part.replace(aside)
            notice(f"{aside}: kept what an interrupted run had written")
        self._discard()

    def _repair(self) -> int:
        """Cut the file after its last whole outcome; return how many there are."""
        count = size = 0
        with self._part.open("r+b") as stream:
            for line in stream:
                try:
                    self._decode(line)
                except msgspec.DecodeError:
                    break
                if not line.endswith(b"\n"):
                    break
                count += 1
                size += len(line)
            stream.truncate(size)
        return count

    def _discard(self) -> None:
        self._part.unlink(missing_ok=True)
        self._journal.unlink(missing_ok=True)

    def _unwritable(self, error: OSError) -> InputError:
        kept = f"; {self.done:,} records are kept, go on with --resume" if self.done else ""
        return InputError(f"{self.output}: cannot be written: {error.strerror}{kept}")


_OTHER_RUN = "repeat that run's command, or run again without --resume"
