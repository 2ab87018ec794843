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
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.records import RecordProblem

MAX_RECORD_BYTES = 32 << 20
"""The longest line, JSON record or CSV field that is read; a longer one is a RecordProblem."""

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


class DamagedError(InputError):
    """A stream ends or breaks where it should not; what came before it is good."""


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
        self._damage: DamagedError | None = None
        self._decoder: codecs.IncrementalDecoder | None = None
        self._taken = 0

    def peek(self, size: int = HEAD_BYTES) -> bytes:
        """Return up to ``size`` bytes from the front without taking them."""
        while len(self._head) < size:
            try:
                piece = self._pull()
            except DamagedError as error:
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
            DamagedError: The archive is broken here.
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
                raise DamagedError(
                    f"{self.name}: damaged after {self._taken:,} bytes: {_reason(error)}"
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


def open_sources(path: Path | None, stdin: IO[bytes]) -> Iterator[ByteSource]:
    """Yield every stream of bytes that an input holds, decompressed, one open at a time.

    A folder gives its files in the order of their names, a zip its members in theirs.

    Args:
        path: A file or folder; None or ``-`` is standard input.
        stdin: Standard input, in binary.

    Raises:
        InputError: There is nothing to read at ``path``, or an archive cannot be opened.
    """
    if path is None or str(path) == "-":
        yield from _unpack(_buffered(stdin), "standard input", 0)
    elif path.is_dir():
        yield from _folder(path)
    else:
        yield from _file(path)


def _file(path: Path) -> Iterator[ByteSource]:
    try:
        stream = path.open("rb")
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    with stream:
        yield from _unpack(stream, str(path), 0)


def _folder(path: Path) -> Iterator[ByteSource]:
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


def _buffered(stream: IO[bytes]) -> io.BufferedReader:
    # Tests and embedders hand in BytesIO, which has read1 but no peek.
    return stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(stream)  # type: ignore[arg-type]


def _unpack(stream: io.BufferedReader | IO[bytes], name: str, depth: int) -> Iterator[ByteSource]:
    """Yield what a stream holds: itself, its gzip content, or its zip members."""
    buffered = _buffered(stream)
    try:
        magic = buffered.peek(4)[:4]
    except _DAMAGE as error:
        raise DamagedError(f"{name}: damaged: {_reason(error)}") from error
    if depth > _MAX_NESTING:
        raise InputError(f"{name}: archives are nested more than {_MAX_NESTING} deep")
    if magic.startswith(_GZIP_MAGIC):
        with gzip.GzipFile(fileobj=buffered) as inner:
            yield from _unpack(io.BufferedReader(inner), name, depth + 1)  # type: ignore[arg-type]
    elif magic.startswith(_ZIP_MAGIC):
        with _seekable(buffered, name) as file:
            yield from _members(file, name, depth)
    else:
        yield ByteSource(buffered, name)


def _seekable(stream: io.BufferedReader, name: str) -> IO[bytes]:
    """Return a stream that a zip's directory, at its end, can be sought in."""
    if stream.seekable() and not isinstance(stream.raw, gzip.GzipFile | zipfile.ZipExtFile):
        return stream
    # A temporary file has no name to clean up, and is on disk, so memory stays bounded.
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    try:
        shutil.copyfileobj(stream, file)
    except _DAMAGE as error:
        file.close()
        raise DamagedError(f"{name}: damaged: {_reason(error)}") from error
    file.seek(0)
    return file


def _members(file: IO[bytes], name: str, depth: int) -> Iterator[ByteSource]:
    try:
        archive = zipfile.ZipFile(file)
    except _DAMAGE as error:
        raise DamagedError(f"{name}: damaged zip archive: {_reason(error)}") from error
    with archive:
        members = [member for member in archive.infolist() if not member.is_dir()]
        alone = len(members) == 1
        for member in members:
            if not alone and not holds_records(member.filename):
                continue
            label = f"{name}/{member.filename}"
            try:
                inner = archive.open(member)
            except _DAMAGE as error:
                raise DamagedError(f"{label}: damaged: {_reason(error)}") from error
            with inner:
                yield from _unpack(io.BufferedReader(inner), label, depth + 1)  # type: ignore[type-var]


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the input and its number, counted from 1; its line end is taken off."""

    number: int
    content: bytes


def lines(source: ByteSource) -> Iterator[Line | RecordProblem]:
    """Yield the lines of a stream that are not blank.

    A line over ``MAX_RECORD_BYTES`` is passed over without being held, and named.

    Raises:
        DamagedError: The archive breaks; every whole line before that has been yielded.
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
            elif content := b"".join(rest).rstrip(b"\r"):
                yield Line(number, content)
            number += 1
            rest, size = [following], len(following)
    if size > MAX_RECORD_BYTES:
        yield too_long(f"{source.name}:{number}")
    elif content := b"".join(rest).rstrip(b"\r"):
        yield Line(number, content)


def too_long(where: str) -> RecordProblem:
    """Return the problem of a record that is over the limit."""
    return RecordProblem(where, "", f"longer than {MAX_RECORD_BYTES >> 20} MiB; passed over")
