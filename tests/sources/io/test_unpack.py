"""Packings in each other, and what they may cost."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import resource
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.records import Advisory, RecordProblem
from cybersecqwen.sources import UnpackLimits, read_advisories
from cybersecqwen.sources.io import unpack
from cybersecqwen.sources.io.compressed import zstd

TEXT = "The viewer writes the title into the page without encoding it."
ROWS = b"".join(json.dumps({"id": n, "text": f"{n} {TEXT}"}).encode() + b"\n" for n in range(500))


def zipped(content: bytes, name: str = "a.jsonl", method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr(name, content)
        archive.writestr("README.md", "# words")
    return out.getvalue()


def tarred(content: bytes, name: str = "a.jsonl") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for member, data in ((name, content), ("README.md", b"# words")):
            info = tarfile.TarInfo(member)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zstd.compress,
    "zip": zipped,
    "tar": tarred,
}


def read(content: bytes, limits: UnpackLimits | None = None) -> list[Advisory | RecordProblem]:
    return list(read_advisories(None, stdin=io.BytesIO(content), name="in", limits=limits))


@pytest.mark.parametrize(("outer", "inner"), product(PACKINGS, PACKINGS))
def test_every_packing_in_every_other(outer: str, inner: str) -> None:
    records = read(PACKINGS[outer](PACKINGS[inner](ROWS)))
    ids = [record.id for record in records if isinstance(record, Advisory)]
    assert ids == [str(n) for n in range(500)]
    assert not any(isinstance(r, RecordProblem) and r.is_failure for r in records)


def test_streams_one_after_the_other_are_one_file() -> None:
    half = ROWS.index(b'{"id": 250')
    for pack in (gzip.compress, bz2.compress, lzma.compress, zstd.compress):
        assert len(read(pack(ROWS[:half]) + pack(ROWS[half:]))) == 500


@pytest.mark.parametrize("packing", ["gz", "bz2", "xz", "zst", "tar"])
def test_a_packing_cut_off_gives_what_was_readable(packing: str) -> None:
    lines = (json.dumps({"id": n, "text": f"{n * 7919 % 10007} {TEXT}"}) for n in range(40_000))
    packed = PACKINGS[packing]("\n".join(lines).encode())
    records = read(packed[: len(packed) // 2])
    assert sum(isinstance(record, Advisory) for record in records) > 1_000
    assert isinstance(records[-1], RecordProblem)
    assert records[-1].is_failure
    assert "reading stops here" in records[-1].reason


def test_members_of_a_zip_by_other_methods() -> None:
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        assert len(read(zipped(ROWS, method=method))) == 501


def test_what_an_input_may_cost_is_bounded() -> None:
    deep = ROWS
    for _ in range(5):
        deep = gzip.compress(deep)
    with pytest.raises(InputError, match="nested more than 4 deep"):
        read(deep)
    inner = gzip.compress(zipped(ROWS, method=zipfile.ZIP_STORED))
    with pytest.raises(InputError, match="an archive inside it is over 0 MiB"):
        read(inner, UnpackLimits(inner_bytes=1000))
    with pytest.raises(InputError, match="holds over 0 files"):
        read(tarred(ROWS), UnpackLimits(members=0))

    class StoppedError(Exception):
        pass

    def stop() -> None:
        raise StoppedError

    with pytest.raises(StoppedError):
        read(gzip.compress(ROWS), UnpackLimits(check=stop))


def test_headers_of_a_tar_that_would_fill_the_memory() -> None:
    info = tarfile.TarInfo("x")
    info.type = tarfile.XHDTYPE
    info.size = 1 << 32
    with pytest.raises(InputError, match="one of its headers is too long"):
        read(info.tobuf(tarfile.USTAR_FORMAT) + b"\0" * 1024)
    info.type = tarfile.GNUTYPE_SPARSE
    with pytest.raises(InputError, match="sparse"):
        read(info.tobuf(tarfile.GNU_FORMAT) + b"\0" * 1024)


def test_office_files_are_named() -> None:
    for member, what in (("word/document.xml", "a Word document"), ("content.xml", "OpenDocument")):
        with pytest.raises(InputError, match=what):
            read(zipped(b"<x/>", name=member))


_READ = """
import resource, sys
from pathlib import Path
from cybersecqwen.core.errors import InputError
from cybersecqwen.sources import read_advisories
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
said = []
try:
    said = [str(record) for record in read_advisories(Path(sys.argv[1]))]
except InputError as error:
    said = [f"error {error}"]
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(len(said), grown // 1024, said[-1])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="resource is POSIX's")
@pytest.mark.parametrize("with_record", [False, True])
def test_a_zip_of_many_empty_members_takes_little(tmp_path: Path, with_record: bool) -> None:
    assert resource  # what the process that is started measures itself by
    file = tmp_path / "many.zip"
    with zipfile.ZipFile(file, "w") as archive:
        if with_record:
            archive.writestr("a.jsonl", json.dumps({"id": "a", "text": TEXT}))
        for number in range(20_000):
            archive.writestr(f"{number}.json", b"")
    found = subprocess.run(
        [sys.executable, "-c", _READ, str(file)], capture_output=True, text=True, check=True
    )
    count, grown, last = found.stdout.split(" ", 2)
    assert int(grown) < 60  # MiB
    if with_record:
        assert int(count) == 102  # the record, the first hundred, and a count of the others
        assert "19,900 more files" in last
    else:
        assert int(count) == 1
        assert "empty: there is nothing to read (19,999 more like it)" in last


def test_a_bomb_is_stopped(tmp_path: Path) -> None:
    file = tmp_path / "bomb.bz2"
    file.write_bytes(bz2.compress(b"\0" * (300 << 20)) * 4)
    with pytest.raises(InputError, match=r"bomb\.bz2: "):
        list(read_advisories(file))


@pytest.mark.parametrize("line", [b"A flaw of the parser.\n", b" \n", b'{"a": 1}\n'])
def test_a_bomb_is_stopped_wherever_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: bytes
) -> None:
    monkeypatch.setattr(unpack, "_EXPANSION_ALLOWED_BYTES", 1 << 16)
    file = tmp_path / "bomb.gz"
    file.write_bytes(gzip.compress(gzip.compress(line * 200_000)))
    try:
        last = list(read_advisories(file))[-1]
    except InputError as error:
        last = error
    assert "it unpacks to over 1,000 times its size, as a bomb does; stopped" in str(last)


@pytest.mark.parametrize("pack", [tarred, zipped])
@pytest.mark.parametrize("name", ["./a.jsonl", "./b/a.jsonl", "../a.jsonl"])
def test_a_folder_packed_from_within_is_not_hidden(
    pack: Callable[[bytes, str], bytes], name: str
) -> None:
    assert len(read(pack(ROWS, name))) > 1
    with pytest.raises(InputError):
        read(pack(ROWS, "./.hidden/a.jsonl"))


def test_advisories_called_notices_are_read() -> None:
    assert len(read(zipped(ROWS, "notice-2099-01.jsonl"))) > 1
    with pytest.raises(InputError):
        read(zipped(ROWS, "NOTICE"))
