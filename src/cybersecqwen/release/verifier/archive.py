"""The archive of a bundle: a ZIP file of stored entries with exactly one valid spelling.

Entries are not compressed (wheels and models are so already), so that nothing can unpack to more
than it holds. All headers follow from the entries' names, sizes and checksums, and a reader
compares every byte outside the entries' contents with what a writer would have written: nothing
can hide in a header, between entries, before the first or behind the last.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from .errors import Refusal

_CHUNK_BYTES = 1 << 20
_LIMIT_32, _LIMIT_16 = 0xFFFFFFFF, 0xFFFF
_END_BYTES, _LOCATOR_BYTES, _END_64_BYTES = 22, 20, 56
_MOST_DIRECTORY_BYTES = 1 << 26
_VERSION, _VERSION_64, _UTF_8 = 20, 45, 0x0800
_DATE = 0x21  # 1980-01-01, the first day a ZIP file can name: times would differ between builds
_MODE = 0o100644 << 16


@dataclass(frozen=True)
class ArchiveEntry:
    """One stored file.

    Attributes:
        name: Its path, separated by ``/``.
        size: Bytes.
        crc: CRC-32 of its content.
        offset: Where its header begins.
    """

    name: str
    size: int
    crc: int
    offset: int

    @property
    def content_offset(self) -> int:
        """Where its content begins."""
        return self.offset + len(self.local_header())

    def local_header(self) -> bytes:
        """Return the header before its content (APPNOTE, section 4.3.7)."""
        name, large = self.name.encode(), self.size >= _LIMIT_32
        size = _LIMIT_32 if large else self.size
        extra = struct.pack("<HHQQ", 1, 16, self.size, self.size) if large else b""
        return (
            struct.pack(
                "<4sHHHHHIIIHH",
                *(b"PK\3\4", _VERSION_64 if large else _VERSION, _UTF_8, 0, 0, _DATE),
                *(self.crc, size, size, len(name), len(extra)),
            )
            + name
            + extra
        )

    def directory_header(self) -> bytes:
        """Return its line in the central directory (APPNOTE, section 4.3.12)."""
        name, large, far = self.name.encode(), self.size >= _LIMIT_32, self.offset >= _LIMIT_32
        numbers = [self.size, self.size] if large else []
        numbers += [self.offset] if far else []
        extra = (
            struct.pack(f"<HH{len(numbers)}Q", 1, 8 * len(numbers), *numbers) if numbers else b""
        )
        size, version = _LIMIT_32 if large else self.size, _VERSION_64 if numbers else _VERSION
        return (
            struct.pack(
                "<4sHHHHHHIIIHHHHHII",
                *(b"PK\1\2", 3 << 8 | version, version, _UTF_8, 0, 0, _DATE),
                *(self.crc, size, size, len(name), len(extra), 0, 0, 0, _MODE),
                _LIMIT_32 if far else self.offset,
            )
            + name
            + extra
        )


def directory(entries: Sequence[ArchiveEntry], start: int) -> bytes:
    """Return all that follows the last entry's content.

    Args:
        entries: The entries.
        start: Where the directory begins.
    """
    lines = b"".join(entry.directory_header() for entry in entries)
    count, size = len(entries), len(lines)
    end = b""
    if count >= _LIMIT_16 or size >= _LIMIT_32 or start >= _LIMIT_32:
        version = 3 << 8 | _VERSION_64
        end = struct.pack(
            "<4sQHHIIQQQQ",
            *(b"PK\6\6", _END_64_BYTES - 12, version, _VERSION_64, 0, 0),
            *(count, count, size, start),
        ) + struct.pack("<4sIQI", b"PK\6\7", 0, start + size, 1)
        count, size, start = min(count, _LIMIT_16), min(size, _LIMIT_32), min(start, _LIMIT_32)
    return lines + end + struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, count, count, size, start, 0)


def write_archive(stream: IO[bytes], files: Iterable[tuple[str, Path]]) -> None:
    """Write files as an archive.

    Args:
        stream: Where the bytes are written.
        files: Name inside the archive and the file on disk, in the order to write them.
    """
    entries: list[ArchiveEntry] = []
    offset = 0
    for name, path in files:
        size, crc = path.stat().st_size, 0
        with path.open("rb") as content:
            while chunk := content.read(_CHUNK_BYTES):
                crc = zlib.crc32(chunk, crc)
        entry = ArchiveEntry(name, size, crc, offset)
        stream.write(entry.local_header())
        with path.open("rb") as content:
            while chunk := content.read(_CHUNK_BYTES):
                stream.write(chunk)
        entries.append(entry)
        offset = entry.content_offset + size
    stream.write(directory(entries, offset))


def read_entries(stream: IO[bytes], size: int) -> list[ArchiveEntry]:
    """Return an archive's entries, having compared every byte but those of their contents.

    Args:
        stream: The archive.
        size: Its size in bytes.

    Raises:
        Refusal: It is truncated, or not as ``write_archive`` writes.
    """
    start, tail = _find_directory(stream, size)
    entries = []
    at = 0
    while tail[at : at + 4] == b"PK\1\2":
        entry, length = _entry(tail, at)
        entries.append(entry)
        at += length
    if directory(entries, start) != tail:
        raise Refusal("changed: the archive's directory is not as this program writes it")
    offset = 0
    for entry in entries:
        header = entry.local_header()
        stream.seek(offset)
        if entry.offset != offset or stream.read(len(header)) != header:
            raise Refusal(f"changed: the archive's header of {entry.name!r}")
        offset += len(header) + entry.size
    if offset != start:
        raise Refusal("changed: the archive holds bytes that belong to no file")
    return entries


def _find_directory(stream: IO[bytes], size: int) -> tuple[int, bytes]:
    """Return where the central directory begins, and all bytes from there to the end."""
    stream.seek(max(0, size - _END_BYTES))
    end = stream.read(_END_BYTES)
    if len(end) < _END_BYTES or end[:4] != b"PK\5\6":
        raise Refusal("truncated: the file does not end as a bundle ends")
    length, start = struct.unpack("<II", end[12:20])
    if _LIMIT_32 in (length, start) or end[10:12] == b"\xff\xff":
        stream.seek(max(0, size - _END_BYTES - _LOCATOR_BYTES - _END_64_BYTES))
        end_64 = stream.read(_END_64_BYTES)
        if end_64[:4] != b"PK\6\6":
            raise Refusal("truncated: the file does not end as a bundle ends")
        length, start = struct.unpack("<QQ", end_64[40:56])
    if start > size or size - start > _MOST_DIRECTORY_BYTES:
        raise Refusal("truncated or changed: the archive's directory is not where it should be")
    stream.seek(start)
    return start, stream.read(size - start)


def _entry(tail: bytes, at: int) -> tuple[ArchiveEntry, int]:
    """Return the entry whose directory line is at this place, and the line's length."""
    try:
        fields = struct.unpack("<4sHHHHHHIIIHHHHHII", tail[at : at + 46])
        method, crc, size, names, extras, offset = (fields[i] for i in (4, 7, 9, 10, 11, 16))
        name = tail[at + 46 : at + 46 + names].decode()
        extra = tail[at + 46 + names : at + 46 + names + extras]
        numbers = list(struct.unpack(f"<{max(0, len(extra) - 4) // 8}Q", extra[4:]))
    except (struct.error, UnicodeDecodeError):
        raise Refusal("changed: the archive's directory cannot be read") from None
    if method != 0:
        raise Refusal(f"changed: {name!r} is compressed, which a bundle's files never are")
    if size == _LIMIT_32 and numbers:
        size, numbers = numbers[0], numbers[2:]
    if offset == _LIMIT_32 and numbers:
        offset = numbers[0]
    return ArchiveEntry(name, size, crc, offset), 46 + names + extras


def read_content(stream: IO[bytes], entry: ArchiveEntry) -> Iterator[bytes]:
    """Yield an entry's content in pieces, checking its CRC-32 at the end."""
    stream.seek(entry.content_offset)
    left, crc = entry.size, 0
    while left:
        chunk = stream.read(min(left, _CHUNK_BYTES))
        if not chunk:
            raise Refusal(f"truncated: {entry.name!r} ends early")
        left, crc = left - len(chunk), zlib.crc32(chunk, crc)
        yield chunk
    if crc != entry.crc:
        raise Refusal(f"changed: {entry.name!r}")


class ArchiveParts(io.RawIOBase):
    """Several files read as if they were one."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._streams = [path.open("rb") for path in paths]
        self._ends: list[int] = []
        for path in paths:
            self._ends.append((self._ends[-1] if self._ends else 0) + path.stat().st_size)
        self._at = 0

    @property
    def size(self) -> int:
        """Bytes of all of them."""
        return self._ends[-1]

    def readable(self) -> bool:
        """They can be read."""
        return True

    def seekable(self) -> bool:
        """They can be read from any place."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place and return it."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence]
        self._at = base + offset
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read on, from one file at most; 0 bytes at the end of the last."""
        for stream, end in zip(self._streams, self._ends, strict=True):
            if self._at < end:
                begin = end - stream.seek(0, io.SEEK_END)
                stream.seek(self._at - begin)
                count = stream.readinto(buffer)
                self._at += count
                return count
        return 0

    def close(self) -> None:
        """Close all of them."""
        for stream in self._streams:
            stream.close()
        super().close()


@contextmanager
def open_archive(path: Path) -> Iterator[tuple[IO[bytes], int]]:
    """Open a bundle of one file, or of numbered parts (``NAME.001`` and so on).

    Args:
        path: The file, the first part, or a folder that holds the parts.

    Yields:
        The archive as one stream, and its size in bytes.

    Raises:
        Refusal: There is no such file, or a part is missing.
    """
    parts = ArchiveParts(find_parts(path))
    with io.BufferedReader(parts, _CHUNK_BYTES) as stream:
        yield stream, parts.size


def find_parts(path: Path) -> list[Path]:
    """Return the files that make up a bundle, in their order."""
    if path.is_dir():
        firsts = sorted(path.glob("*.001"))
        if len(firsts) != 1:
            raise Refusal(
                f"{path}: {len(firsts)} files end in .001; one bundle's parts belong here"
            )
        path = firsts[0]
    if not path.is_file():
        raise Refusal(f"{path}: no such file")
    if path.suffix != ".001":
        return [path]
    named = {part.name: part for part in path.parent.glob(f"{path.stem}.[0-9][0-9][0-9]")}
    expected = [f"{path.stem}.{number:03}" for number in range(1, len(named) + 1)]
    missing = [name for name in expected if name not in named]
    if missing:
        raise Refusal(f"missing: part {missing[0]}")
    return [named[name] for name in expected]
