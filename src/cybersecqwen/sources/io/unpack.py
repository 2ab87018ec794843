"""Whatever holds bytes, opened the same way: files, folders, standard input, archives in archives.

Magic bytes decide what is compressed, never the name: gzip, bzip2, xz, Zstandard, zip and tar, each
in each other. Nothing is read whole: streams hand out pieces, and a zip inside an archive goes
through a temporary file on disk. What an archive may cost is bounded by ``UnpackLimits``.
"""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from cybersecqwen.core.errors import InputError
from cybersecqwen.sources.io.archive_checks import (
    DIRECTORY_ENTRY,
    CheckedTarInfo,
    directory_of,
    document_kind,
    size_of,
)
from cybersecqwen.sources.io.compressed import open_bzip2, open_xz, open_zstd
from cybersecqwen.sources.io.file_names import may_hold_records, passed_over_by_name
from cybersecqwen.sources.io.position import ReadPosition
from cybersecqwen.sources.io.streams import (
    CHUNK_BYTES,
    DAMAGE,
    MAX_DOCUMENT_BYTES,
    MAX_RECORD_BYTES,
    Bytes,
    ByteSource,
    NotRecordsError,
    UnreadableError,
    reason_of,
)

_GZIP_MAGIC = b"\x1f\x8b"
_BZIP2_MAGIC = b"BZh"
_XZ_MAGIC = b"\xfd7zXZ\x00"
_LZMA_MAGIC = b"\x5d\x00\x00"  # and what follows: a window and a size
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_TAR_MAGIC = b"ustar"
_TAR_MAGIC_AT = 257
_OTHER_ARCHIVES = {
    b"7z\xbc\xaf\x27\x1c": "a 7-Zip archive",
    b"Rar!\x1a\x07": "a RAR archive",
    b"\x04\x22\x4d\x18": "compressed with LZ4",
    b"\x1f\x9d": "compressed with compress (.Z)",
    b"MSCF": "a cabinet file",
    b"LZIP": "compressed with lzip",
}
_BZIP2_FIRST_BLOCK = (b"\x31\x41\x59\x26\x53\x59", b"\x17\x72\x45\x38\x50\x90")

_ENCRYPTED = 1  # of a zip member's flags
_EXPANSION_ALLOWED_BYTES = 1 << 30
_MAX_EXPANSION = 1000


@dataclass(frozen=True, slots=True)
class UnpackLimits:
    """What an input may cost.

    Attributes:
        nesting: Archives and compressions inside each other.
        inner_bytes: Bytes of a zip inside an archive or a pipe, which goes to disk.
        members: Files in all archives together; of a zip, whose directory is held, some 600 bytes
            of memory go to each.
        directory_bytes: Bytes of a zip's directory.
        record_bytes: The longest line or JSON record that is held; one over it is passed over.
        document_bytes: The longest JSON document that is decoded whole.
        check: Called for every piece that is read; what it raises ends the reading.
        disk: Called with the bytes that go to disk, and with their negative when they are gone;
            what it raises ends the reading.
    """

    nesting: int = 4
    inner_bytes: int = 4 << 30
    members: int = 600_000
    directory_bytes: int = 64 << 20
    record_bytes: int = MAX_RECORD_BYTES
    document_bytes: int = MAX_DOCUMENT_BYTES
    check: Callable[[], None] | None = None
    disk: Callable[[int], None] | None = None


@dataclass(frozen=True, slots=True)
class Workbook:
    """An Excel workbook, which is a zip of its own kind; the stream can be sought in."""

    stream: IO[bytes]
    name: str


Found = ByteSource | Workbook | UnreadableError
"""A stream of bytes, or why there is none at its place."""


def open_sources(
    path: Path | None,
    stdin: IO[bytes],
    *,
    name: str = "",
    limits: UnpackLimits | None = None,
    position: ReadPosition | None = None,
) -> Iterator[Found]:
    """Yield every stream of bytes that an input holds, decompressed, one open at a time.

    A folder gives its files in the order of their names, an archive its members in theirs. One
    that cannot be opened is given as its error, so that the others are still read; so is, as a
    ``NotRecordsError`` at the end, the list of those that by their names hold no records.

    Args:
        path: A file or folder; None or ``-`` is standard input.
        stdin: Standard input, in binary.
        name: What to call the input in messages; its path, where this is empty.
        limits: What the input may cost.
        position: Told how much has been read.
    """
    position = position or ReadPosition()
    unpacker = _Unpacker(limits or UnpackLimits())
    if path is None or str(path) == "-":
        yield from unpacker.open(cast("Bytes", stdin), name or "standard input", 0)
    elif path.is_dir():
        yield from _folder(path, name or str(path), unpacker, position)
    else:
        position.expect([path])
        yield from _file(path, name or str(path), unpacker, position)


def _file(path: Path, name: str, unpacker: _Unpacker, position: ReadPosition) -> Iterator[Found]:
    try:
        stream = path.open("rb")
    except OSError as error:
        yield UnreadableError(name, error.strerror or str(error))
        return
    with stream, position.reading(stream):
        yield from unpacker.open(stream, name, 0)


def _folder(path: Path, name: str, unpacker: _Unpacker, position: ReadPosition) -> Iterator[Found]:
    passed_over: list[str] = []
    found: list[Path] = []
    for folder, subfolders, names in os.walk(path):
        subfolders[:] = sorted(sub for sub in subfolders if not sub.startswith("."))
        for base in sorted(names):
            file = Path(folder, base)
            if not file.is_file():
                continue
            if may_hold_records(base):
                found.append(file)
            else:
                passed_over.append(file.relative_to(path).as_posix())
    position.expect(found)
    for file in found:
        shown = os.path.join(name, file.relative_to(path))  # noqa: PTH118 - a name, or a URL
        yield from _file(file, shown, unpacker, position)
    yield from passed_over_by_name(passed_over, name)


class _Piecewise(io.RawIOBase):
    """What an archive's member has ready, and no more.

    A plain ``read`` goes on until it has all that was asked for, and where the archive breaks
    before that it loses what it had.
    """

    def __init__(self, member: Bytes) -> None:
        self._member = member

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        piece = self._member.read1(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)


class _Unpacker:
    """Opens what lies in an input, and counts what it costs."""

    def __init__(self, limits: UnpackLimits) -> None:
        self._limits = limits
        self._members = 0
        self._packed_bytes = 0  # of what lies outermost
        self._unpacked_bytes = 0

    def open(self, stream: Bytes, name: str, depth: int) -> Iterator[Found]:
        """Yield what a stream holds: itself, what it decompresses to, or its members."""
        buffered = (
            stream
            if isinstance(stream, io.BufferedReader)
            else cast("io.BufferedReader", io.BufferedReader(_Piecewise(stream), CHUNK_BYTES))
        )
        if depth == 0:
            self._packed_bytes = size_of(buffered)
        try:
            head = buffered.peek(512)[:512]
            packed = self._packing(head, name)
            if packed and depth >= self._limits.nesting:
                yield UnreadableError(
                    name, f"archives are nested more than {self._limits.nesting} deep"
                )
            elif packed:
                yield from packed(buffered, name, depth + 1)
            else:
                yield ByteSource(
                    buffered,
                    name,
                    self._count if depth else self._count_outermost,
                    record_bytes=self._limits.record_bytes,
                    document_bytes=self._limits.document_bytes,
                )
        except UnreadableError as error:
            yield error
        except DAMAGE as error:
            yield UnreadableError(name, f"damaged: {reason_of(error)}")

    def _packing(
        self, head: bytes, name: str
    ) -> Callable[[io.BufferedReader, str, int], Iterator[Found]] | None:
        if head.startswith(_ZIP_MAGIC):
            return self._zip
        if head[_TAR_MAGIC_AT:].startswith(_TAR_MAGIC):
            return self._tar
        for magic, what in _OTHER_ARCHIVES.items():
            if head.startswith(magic):
                raise NotRecordsError(name, f"{what}, which is not read: unpack it first")
        if _decompressor(head):
            return self._decompress
        return None

    def _decompress(self, stream: io.BufferedReader, name: str, depth: int) -> Iterator[Found]:
        opener = _decompressor(stream.peek(16))
        assert opener  # the head was looked at already
        with opener(stream) as inner:
            yield from self.open(cast("Bytes", inner), name, depth)

    def _count_outermost(self, size: int) -> None:
        self._packed_bytes += size if not self._unpacked_bytes else 0
        self._count(size)

    def _count(self, size: int) -> None:
        if self._limits.check:
            self._limits.check()
        self._unpacked_bytes += size
        if (
            self._unpacked_bytes > _EXPANSION_ALLOWED_BYTES
            and 0 < self._packed_bytes * _MAX_EXPANSION < self._unpacked_bytes
        ):
            raise ValueError(
                f"it unpacks to over {_MAX_EXPANSION:,} times its size, as a bomb does; stopped"
            )

    def _zip(self, stream: io.BufferedReader, name: str, depth: int) -> Iterator[Found]:
        with self._seekable(stream) as file:
            self._check_directory(file)
            with zipfile.ZipFile(file) as archive:
                names = set(archive.namelist())
                if "xl/workbook.xml" in names:
                    file.seek(0)
                    yield Workbook(file, name)
                elif what := document_kind(names):
                    raise NotRecordsError(name, f"{what}, which holds no records that can be read")
                else:
                    yield from self._zip_members(archive, name, depth)

    @contextmanager
    def _seekable(self, stream: io.BufferedReader) -> Iterator[IO[bytes]]:
        """Give a stream that a zip's directory, at its end, can be sought in."""
        if stream.seekable():
            yield stream
            return
        on_disk = self._limits.disk or (lambda _: None)
        size = 0
        # A temporary file is on disk, so memory stays bounded, and has no name to clean up.
        with tempfile.TemporaryFile() as file:
            try:
                while piece := stream.read(CHUNK_BYTES):
                    self._count(len(piece))
                    if size + len(piece) > self._limits.inner_bytes:
                        limit = self._limits.inner_bytes >> 20
                        raise ValueError(f"an archive inside it is over {limit:,} MiB")
                    on_disk(len(piece))
                    size += len(piece)
                    file.write(piece)
                file.seek(0)
                yield file
            finally:
                on_disk(-size)

    def _check_directory(self, file: IO[bytes]) -> None:
        """Refuse a zip whose directory would fill the memory; ``zipfile`` holds it whole."""
        directory = directory_of(file)
        limit = self._limits.directory_bytes
        if directory.size > limit:
            raise ValueError(
                f"its directory has {directory.size >> 20:,} MiB, the limit is {limit >> 20}"
            )
        file.seek(directory.start)
        # The number of entries that a zip states is believed by nobody.
        if file.read(directory.size).count(DIRECTORY_ENTRY) > self._limits.members:
            raise ValueError(f"it holds over {self._limits.members:,} files; stopped")
        file.seek(0)

    def _zip_members(self, archive: zipfile.ZipFile, name: str, depth: int) -> Iterator[Found]:
        # Not is_dir(), which a member without a name is too much for.
        members = [m for m in archive.infolist() if not m.filename.endswith("/")]
        passed_over: list[str] = []
        for member in members:
            if len(members) > 1 and not may_hold_records(member.filename):
                passed_over.append(member.filename)
                continue
            self._add_member()
            label = f"{name}/{member.filename}"
            if member.flag_bits & _ENCRYPTED:
                yield UnreadableError(label, "encrypted with a password: unpack it first")
                continue
            try:
                inner = archive.open(member)
            except DAMAGE as error:
                yield UnreadableError(label, f"damaged: {reason_of(error)}")
                continue
            with inner:
                yield from self.open(cast("Bytes", inner), label, depth)
        yield from passed_over_by_name(passed_over, name)

    def _tar(self, stream: io.BufferedReader, name: str, depth: int) -> Iterator[Found]:
        passed_over: list[str] = []
        with tarfile.open(fileobj=stream, mode="r|", tarinfo=CheckedTarInfo) as archive:
            while member := archive.next():
                cast("Any", archive).members.clear()  # kept for nothing, and there may be a million
                if not member.isfile():
                    continue
                self._add_member()
                if not may_hold_records(member.name):
                    passed_over.append(member.name)
                    continue
                inner = archive.extractfile(member)
                assert inner  # it is a file
                with inner:
                    # As a stream that cannot be sought in, which tarfile's own does not say.
                    content = io.BufferedReader(_Piecewise(cast("Bytes", inner)), CHUNK_BYTES)
                    yield from self.open(content, f"{name}/{member.name}", depth)
        yield from passed_over_by_name(passed_over, name)

    def _add_member(self) -> None:
        self._members += 1
        if self._members > self._limits.members:
            raise ValueError(f"it holds over {self._limits.members:,} files; stopped")


def _decompressor(head: bytes) -> Callable[[Any], Any] | None:
    if head.startswith(_GZIP_MAGIC):
        return lambda stream: gzip.GzipFile(fileobj=stream, mode="rb")
    if head.startswith(_BZIP2_MAGIC) and head[4:10] in _BZIP2_FIRST_BLOCK:
        return open_bzip2
    if head.startswith(_XZ_MAGIC) or (head.startswith(_LZMA_MAGIC) and len(head) > 13):
        return open_xz
    return open_zstd if head.startswith(_ZSTD_MAGIC) else None


def read_whole(path: Path) -> bytes:
    """Return the content of the one file at ``path``, unpacked; UTF-8 without a mark.

    For formats whose parts refer to each other.

    Raises:
        InputError: The file cannot be read or is damaged, or there are several.
    """
    content: bytes | None = None
    for source in open_sources(path, io.BytesIO()):
        if isinstance(source, UnreadableError):
            raise source
        if isinstance(source, Workbook) or content is not None:
            raise InputError(f"{path}: holds more than one file; give the one to read")
        content = source.as_utf8().read()
    if content is None:
        raise InputError(f"{path}: holds no file to read")
    return content
