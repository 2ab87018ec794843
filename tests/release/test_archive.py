"""The archive: one spelling only, readable by other programs, and nothing hidden in it."""

from __future__ import annotations

import io
import random
import zipfile
from pathlib import Path

import pytest

from cybersecqwen.release.split import SplitWriter
from cybersecqwen.release.verifier import Refusal, archive


@pytest.fixture
def files(tmp_path: Path) -> list[tuple[str, Path]]:
    contents = {"a.txt": b"first", "empty": b"", "sub/ü.bin": bytes(range(256)) * 5}
    for number, data in enumerate(contents.values()):
        (tmp_path / str(number)).write_bytes(data)
    return [(name, tmp_path / str(number)) for number, name in enumerate(contents)]


@pytest.fixture
def data(files: list[tuple[str, Path]]) -> bytes:
    stream = io.BytesIO()
    archive.write_archive(stream, files)
    return stream.getvalue()


def _read(data: bytes) -> dict[str, bytes]:
    stream = io.BytesIO(data)
    entries = archive.read_entries(stream, len(data))
    return {e.name: b"".join(archive.read_content(stream, e)) for e in entries}


def test_other_programs_read_it(data: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        assert package.testzip() is None
        assert {name: package.read(name) for name in package.namelist()} == _read(data)


def test_no_bit_can_be_flipped(data: bytes) -> None:
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 1 << place % 8
        try:
            _read(bytes(changed))
        except Refusal:
            continue
        pytest.fail(f"the bit at {place} can be flipped")


def test_no_length_but_the_whole_is_accepted(data: bytes) -> None:
    for length in range(len(data)):
        with pytest.raises(Refusal):
            _read(data[:length])
    for extra in (b"\0", data, b"PK\5\6" + b"\0" * 18):
        with pytest.raises(Refusal):
            _read(data + extra)
        with pytest.raises(Refusal):
            _read(extra + data)


def test_archives_of_other_writers_are_refused(files: list[tuple[str, Path]]) -> None:
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", method) as package:
            for name, path in files:
                package.write(path, name)
        with pytest.raises(Refusal, match="changed"):
            _read(stream.getvalue())


def test_random_bytes_are_refused() -> None:
    draw = random.Random(1)
    for length in (0, 1, 21, 22, 23, 500):
        with pytest.raises(Refusal):
            _read(draw.randbytes(length))
        with pytest.raises(Refusal):
            _read(draw.randbytes(length) + b"PK\5\6" + draw.randbytes(18))


def test_headers_beyond_4_gib_are_those_that_others_write() -> None:
    """Written sparsely: no 4 GiB file is needed to compare the headers."""
    large = archive.ArchiveEntry("large", 5 << 30, 0, 0)
    far = archive.ArchiveEntry("far", 3, 0x352441C2, large.content_offset + large.size)
    start = far.content_offset + far.size
    stream = _Sparse(
        {0: large.local_header(), far.offset: far.local_header() + b"abc"},
        start,
        archive.directory([large, far], start),
    )
    with zipfile.ZipFile(stream) as package:  # type: ignore[call-overload]
        assert [(i.filename, i.file_size) for i in package.infolist()] == [
            ("large", 5 << 30),
            ("far", 3),
        ]
        assert package.read("far") == b"abc"
    stream.seek(0)
    size = stream.seek(0, io.SEEK_END)
    assert archive.read_entries(stream, size) == [large, far]  # type: ignore[arg-type]


class _Sparse(io.RawIOBase):
    """A large stream of zeros with a few bytes in it."""

    def __init__(self, pieces: dict[int, bytes], start: int, end: bytes) -> None:
        self._pieces = {**pieces, start: end}
        self._size, self._at = start + len(end), 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = (0, self._at, self._size)[whence] + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, count: int = -1) -> bytes:
        count = min(count if count >= 0 else self._size, self._size - self._at)
        data = bytearray(count)
        for begin, piece in self._pieces.items():
            for index, value in enumerate(piece):
                if 0 <= begin + index - self._at < count:
                    data[begin + index - self._at] = value
        self._at += count
        return bytes(data)


@pytest.mark.parametrize("size", [1, 7, 100, 10_000])
def test_parts_are_one_stream(data: bytes, tmp_path: Path, size: int) -> None:
    data = data[:900]

    def open_part(number: int) -> io.BufferedWriter:
        return (tmp_path / f"b.{number:03}").open("wb")

    with SplitWriter(open_part, size) as stream:
        stream.write(data[:50])
        stream.write(data[50:])
    if size == 1:  # more parts than three digits can name would be needed for a real bundle
        assert len(list(tmp_path.glob("b.*"))) == 900
    assert all(path.stat().st_size <= size for path in tmp_path.glob("b.*"))
    with archive.open_archive(tmp_path) as (parts, total):
        assert total == len(data)
        assert parts.read() == data
        parts.seek(13)
        assert parts.read(20) == data[13:33]


def test_a_missing_part_is_named(tmp_path: Path) -> None:
    for number in (1, 2, 4):
        (tmp_path / f"b.{number:03}").write_bytes(b"x")
    with (
        pytest.raises(Refusal, match=r"missing: part b\.003"),
        archive.open_archive(tmp_path / "b.001"),
    ):
        pass
