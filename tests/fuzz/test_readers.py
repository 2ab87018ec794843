"""A short run of ``fuzz/readers.py``, and what its long runs have found."""

from __future__ import annotations

import io
import random
import zipfile
from pathlib import Path

import pytest
from readers import READERS, SEEDS, check, mutated, seeds

from cybersecqwen.cli.main import main


def _nameless_zip() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a", "SQL injection in the login form")
    whole = out.getvalue()
    at = whole.index(b"PK\x01\x02")
    directory = bytearray(whole[at:])
    directory[28:30] = b"\0\0"  # the length of the name
    directory[30:32] = b"\1\0"  # that of a further field, which takes its place
    return whole[:at] + bytes(directory)


UNDECODED = b'{"a": {"b": [{"c": "\xff"}]}}'
DEEP = b'{"a":' * 100_000
FOUND = {
    "specialist_config": [
        *(DEEP, b"[" * 100_000, b'{"kind":"technique","format_version":"2"}'),
        b'{"kind":"severity","sha256":' + DEEP,
    ],
    "monitored": [DEEP + b"\n", b'{"schema_version":1,"profile":' + DEEP],
    "log": [DEEP + b"\n", b'{"log":1,"a":NaN,"b":' + b"[" * 100_000 + b"\n"],
    "recipe": [b"[" * 50_000, b"a: " + b"9" * 100_000, b"a: 2020-13-45", b"\xff", b'"\\ud800": 1'],
    "settings": [b"a = " + b"[" * 20_000, b"a = " + b"{b = " * 20_000, b"a: " + b"[" * 50_000],
    "advisories": [DEEP, b"\x1f\x8b", b"PK\x05\x06" + bytes(18), _nameless_zip(), UNDECODED],
}


@pytest.mark.parametrize("name", READERS)
def test_mutated_seeds_are_read_or_refused(name: str) -> None:
    corpus = seeds([SEEDS])
    assert len(corpus) > 20
    # An answer from the knowledge base takes 30 ms, a file that is refused 1.
    for number in range(100 if name == "question" else 400):
        check(READERS[name], mutated(random.Random(number), corpus))


@pytest.mark.parametrize("name", FOUND)
def test_what_was_found_stays_mended(name: str) -> None:
    for data in FOUND[name]:
        check(READERS[name], data)


@pytest.mark.parametrize(
    "content",
    [b"[" * 50_000, b"seed: " + b"9" * 100_000, b"seed: 2020-13-45", b"\x1b]0;a\x07: 1\n"],
)
def test_a_recipe_ends_in_one_line(
    content: bytes, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_bytes(content)
    assert main(["corpus", "build", str(path), "--out", str(tmp_path / "out")]) == 2
    err = capfd.readouterr().err
    assert err.count("\n") == 1
    assert len(err) < 1200
    assert err.strip("\n").isprintable()
    assert "fault of this program" not in err
    assert [f.name for f in tmp_path.iterdir()] == ["recipe.yaml"]


def test_a_message_is_short_and_has_no_escapes(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(b"\x1b]0;pwn\x07" * 100_000 + b",b\nc,d\n")
    assert main(["map", "--input", str(path), "--format", "csv"]) == 2
    err = capfd.readouterr().err
    assert err.count("\n") == 1
    assert len(err) < 1200
    assert "\x1b" not in err
