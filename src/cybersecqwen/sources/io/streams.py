"""Whatever holds bytes, opened the same way: plain files, gzip, zip, folders, standard input.

Magic bytes decide what is compressed, never the name. Nothing is read whole: streams hand out
pieces, lines are bounded in length, and an archive inside an archive goes through a temporary
file on disk.
"""

from __future__ import annotations

import codecs
import gzip
import io
import os
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol, cast

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.records import RecordProblem

MAX_RECORD_BYTES = 32 << 20
"""The longest line, JSON record or CSV field that is read; a longer one is a RecordProblem."""

MAX_INNER_BYTES = 16 << 30
"""The largest zip inside an archive or a pipe: it goes to disk, which a bomb must not fill."""

HEAD_BYTES = 64 << 10
"""How much of a stream its format is told by."""

_CHUNK_BYTES = 1 << 18
_MAX_NESTING = 3
_GZIP_MAGIC = b"\x1f\x8b"
_ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_UTF8_BOM = b"\xef\xbb\xbf"
_UTF32_BOMS = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)
_UTF16_BOMS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)

# What the standard library raises for archives that are damaged, encrypted or of a method that
# it lacks.
_DAMAGE = (
    EOFError,
    OSError,
    zlib.error,
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    ValueError,
)


class UnreadableError(InputError):
    """A file or an archive's member from which nothing more can be read; what came before is good.

    Args:
        where: The file, or the archive and the member.
        reason: What is wrong.
    """

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(f"{where}: {reason}")
        self.where = where
        self.reason = reason


class _Bytes(Protocol):
    def read1(self, size: int, /) -> bytes: ...


class ByteSource:
    """Bytes that can be looked at before they are taken.

    Args:
        stream: Where they come from; ``read1`` of a gzip or zip member, or of a plain file.
        name: What to call it in messages.
    """

    def __init__(self, stream: _Bytes, name: str) -> None:
        self.name = name
        self._stream = stream
        self._head = b""
        self._damage: UnreadableError | None = None
        self._decoder: codecs.IncrementalDecoder | None = None
        self._taken = 0

    def peek(self, size: int = HEAD_BYTES) -> bytes:
        """Return up to ``size`` bytes from the front without taking them."""
        while len(self._head) < size:
            try:
                piece = self._pull()
            except UnreadableError as error:
                # Kept for whoever takes the bytes: what is before it can still be read.
                self._damage = error
                break
            if not piece:
                break
            self._head += piece
        return self._head[:size]

    def take(self) -> bytes:
        """Return the next piece; empty at the end.

        Raises:
            UnreadableError: The archive is broken here.
        """
        if self._head:
            piece, self._head = self._head, b""
            return piece
        if self._damage:
            raise self._damage
        return self._pull()

    def read(self, size: int = -1) -> bytes:
        """Return up to ``size`` bytes (all with -1), for readers that want a file."""
        if size == 0:
            return b""
        pieces = []
        while size != 0 and (piece := self.take()):
            if 0 < size < len(piece):
                piece, self._head = piece[:size], piece[size:]
            pieces.append(piece)
            size = size - len(piece) if size > 0 else size
        return b"".join(pieces)

    def as_utf8(self) -> ByteSource:
        """Drop a UTF-8 mark; turn UTF-16 that bears one into UTF-8; call before taking."""
        head = self.peek()
        if head.startswith(_UTF8_BOM):
            self._head = self._head[len(_UTF8_BOM) :]
        elif head.startswith(_UTF16_BOMS) and not head.startswith(_UTF32_BOMS):
            # The first piece is fed again, through the decoder.
            raw, self._head = self._head, b""
            self._decoder = codecs.getincrementaldecoder("utf-16")("replace")
            self._head = self._decoder.decode(raw).encode("utf-8", "replace")
        return self

    def _pull(self) -> bytes:
        while True:
            try:
                piece = self._stream.read1(_CHUNK_BYTES)
            except _DAMAGE as error:
                raise UnreadableError(
                    self.name, f"damaged after {self._taken:,} bytes: {_reason(error)}"
                ) from error
            self._taken += len(piece)
            if self._decoder is None:
                return piece
            text = self._decoder.decode(piece, final=not piece)
            if text or not piece:
                return text.encode("utf-8", "replace")


def _reason(error: BaseException) -> str:
    if isinstance(error, EOFError):
        return "it ends in the middle (truncated)"
    return str(error) or type(error).__name__


Found = ByteSource | UnreadableError
"""A stream of bytes, or why there is none at its place."""


def open_sources(path: Path | None, stdin: IO[bytes]) -> Iterator[Found]:
    """Yield every stream of bytes that an input holds, decompressed, one open at a time.

    A folder gives its files in the order of their names, a zip its members in theirs. One that
    cannot be opened is given as its error, so that the others are still read.

    Args:
        path: A file or folder; None or ``-`` is standard input.
        stdin: Standard input, in binary.
    """
    if path is None or str(path) == "-":
        yield from _unpack(cast("_Bytes", stdin), "standard input", 0)
    elif path.is_dir():
        yield from _folder(path)
    else:
        yield from _file(path)


def _file(path: Path) -> Iterator[Found]:
    try:
        stream = path.open("rb")
    except OSError as error:
        yield UnreadableError(str(path), error.strerror or str(error))
        return
    with stream:
        yield from _unpack(stream, str(path), 0)


def _folder(path: Path) -> Iterator[Found]:
    for folder, subfolders, names in os.walk(path):
        subfolders.sort()
        for name in sorted(names):
            file = Path(folder, name)
            if holds_records(name) and file.is_file():
                yield from _file(file)


def holds_records(name: str) -> bool:
    """Whether a file in a folder or an archive may hold records, by its name.

    The CVE List ships logs of its changes, and readmes, beside its records.
    """
    base = name.rsplit("/", 1)[-1].lower()
    if base.startswith((".", "delta", "recent_activities")) or "__macosx/" in name.lower():
        return False
    endings = (".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".txt", ".gz", ".zip")
    return base.endswith(endings)


class _Piecewise(io.RawIOBase):
    """What an archive's member has ready, and no more.

    A plain ``read`` goes on until it has all that was asked for, and where the archive breaks
    before that it loses what it had.
    """

    def __init__(self, member: _Bytes) -> None:
        self._member = member

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        piece = self._member.read1(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)


def _unpack(stream: _Bytes, name: str, depth: int) -> Iterator[Found]:
    """Yield what a stream holds: itself, its gzip content, or its zip members."""
    buffered = stream
    if not isinstance(buffered, io.BufferedReader):
        buffered = io.BufferedReader(_Piecewise(stream), _CHUNK_BYTES)
    try:
        magic = buffered.peek(4)[:4]
        if depth > _MAX_NESTING:
            yield UnreadableError(name, f"archives are nested more than {_MAX_NESTING} deep")
        elif magic.startswith(_GZIP_MAGIC):
            with gzip.GzipFile(fileobj=buffered, mode="rb") as inner:
                yield from _unpack(inner, name, depth + 1)
        elif magic.startswith(_ZIP_MAGIC):
            with _seekable(buffered) as file, zipfile.ZipFile(file) as archive:
                yield from _members(archive, name, depth)
        else:
            yield ByteSource(buffered, name)
    except _DAMAGE as error:
        yield UnreadableError(name, f"damaged: {_reason(error)}")


def _seekable(stream: io.BufferedReader[Any]) -> IO[bytes]:
    """Return a stream that a zip's directory, at its end, can be sought in."""
    if stream.seekable():
        return stream
    # A temporary file is on disk, so memory stays bounded, and has no name to clean up.
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    while piece := stream.read(_CHUNK_BYTES):
        if file.tell() + len(piece) > MAX_INNER_BYTES:
            file.close()
            raise ValueError(f"an archive inside it is over {MAX_INNER_BYTES >> 30} GiB")
        file.write(piece)
    file.seek(0)
    return file


def _members(archive: zipfile.ZipFile, name: str, depth: int) -> Iterator[Found]:
    members = [member for member in archive.infolist() if not member.is_dir()]
    for member in members:
        if len(members) > 1 and not holds_records(member.filename):
            continue
        label = f"{name}/{member.filename}"
        try:
            inner = archive.open(member)
        except _DAMAGE as error:
            yield UnreadableError(label, f"damaged: {_reason(error)}")
            continue
        with inner:
            yield from _unpack(cast("_Bytes", inner), label, depth + 1)


@dataclass(frozen=True, slots=True)
class InputLine:
    """A line of the input and its number, counted from 1; its line end is taken off."""

    number: int
    content: bytes


def lines(source: ByteSource, *, blank: bool = False) -> Iterator[InputLine | RecordProblem]:
    """Yield the lines of a stream, the empty ones only where ``blank`` asks for them.

    A line over ``MAX_RECORD_BYTES`` is passed over without being held, and named.

    Raises:
        UnreadableError: The archive breaks; every whole line before that has been yielded.
    """
    number = 1
    rest: list[bytes] = []
    size = 0
    while piece := source.take():
        first, *others = piece.split(b"\n")
        size += len(first)
        if size <= MAX_RECORD_BYTES:
            rest.append(first)
        else:
            rest.clear()
        for following in others:
            if size > MAX_RECORD_BYTES:
                yield too_long(f"{source.name}:{number}")
            elif (content := b"".join(rest).rstrip(b"\r")) or blank:
                yield InputLine(number, content)
            number += 1
            rest, size = [following], len(following)
    if size > MAX_RECORD_BYTES:
        yield too_long(f"{source.name}:{number}")
    elif content := b"".join(rest).rstrip(b"\r"):
        yield InputLine(number, content)


def too_long(where: str) -> RecordProblem:
    """Return the problem of a record that is over the limit."""
    return RecordProblem(where, "", f"longer than {MAX_RECORD_BYTES >> 20} MiB; passed over")
