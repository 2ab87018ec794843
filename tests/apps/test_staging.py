"""Files elsewhere: fsspec's memory file system stands for an object store."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from cybersecqwen.apps.staging import Staging
from cybersecqwen.cli.main import main
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.locks import LockedError

fsspec = pytest.importorskip("fsspec")

LINE = '{"id": "CVE-2099-0001", "description": "SQL injection in the login form"}\n'


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    memory = fsspec.filesystem("memory")
    memory.rm("/", recursive=True) if memory.ls("/") else None
    yield memory
    memory.store.clear()
    memory.pseudo_dirs[:] = [""]


def _left(tmp_path: Path) -> list[str]:
    staged = tmp_path / "home" / "cybersecqwen" / "staged"
    return [file.name for _, _, files in os.walk(staged) for file in map(Path, files)]


def _interrupted(inputs: list[str], outputs: list[str]) -> dict[str, Path]:
    """Let a run begin its outputs and break off; return its paths."""
    paths: dict[str, Path] = {}
    with suppress(KeyboardInterrupt), Staging() as staging:
        paths |= staging.open(inputs, outputs)
        for name in outputs:
            paths[name].write_text("begun")
        raise KeyboardInterrupt
    return paths


def test_the_rows_are_those_of_a_local_file(store: Any, tmp_path: Path) -> None:
    feed = tmp_path / "feed.jsonl"
    feed.write_text(LINE + "{\n")
    store.pipe("/bucket/feed.jsonl", feed.read_bytes())
    for verb in ("map", "assess"):
        here, there = tmp_path / f"{verb}.jsonl", f"memory://bucket/{verb}.jsonl"
        assert main([verb, "--input", str(feed), "--output", str(here)]) == 1
        assert main([verb, "--input", "memory://bucket/feed.jsonl", "--output", there]) == 1
        assert store.cat(f"/bucket/{verb}.jsonl") == here.read_bytes()
    assert _left(tmp_path) == []


def test_messages_name_the_file_as_it_was_given(
    store: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store.pipe("/bucket/day/a.jsonl", LINE.encode())
    store.pipe("/bucket/day/deep/b.jsonl", b'{"id": "b", "description": " "}\n')
    call = ["map", "--input", "memory://bucket/day", "--output", "memory://bucket/o.jsonl"]
    assert main([*call, "--report", "memory://bucket/o.html"]) == 1
    told = capsys.readouterr().err
    assert "memory://bucket/day/deep/b.jsonl:1 (b): " in told
    assert "written to memory://bucket/o.jsonl" in told
    assert "report written to memory://bucket/o.html" in told
    assert store.cat("/bucket/o.html").startswith(b"<!")


def test_what_cannot_be_read_is_said_in_a_line(
    store: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cases = {
        "memory://bucket/none.jsonl": "no such file or folder",
        "https://example.org/feed.json": "nothing is fetched: download it",
        "nosuch://bucket/feed.json": "nosuch",
    }
    for name, words in cases.items():
        assert main(["map", "--input", name, "--output", str(tmp_path / "o.jsonl")]) == 2
        told = capsys.readouterr().err
        assert name in told
        assert words in told
        assert told.count("\n") == 1
    assert not (tmp_path / "o.jsonl").exists()
    assert _left(tmp_path) == []


def test_an_interrupted_run_is_gone_on_with(store: Any, tmp_path: Path) -> None:
    store.pipe("/b/in.txt", b"one")
    names = (["memory://b/in.txt"], ["memory://b/out.txt"])
    notices: list[str] = []
    paths = _interrupted(*names)
    paths["memory://b/out.txt"].with_name("out.txt.part").write_text("half")
    before = paths["memory://b/in.txt"].stat().st_mtime_ns
    with Staging(notices.append) as staging:
        paths = staging.open(*names)
        assert paths["memory://b/out.txt"].with_name("out.txt.part").read_text() == "half"
        assert paths["memory://b/in.txt"].stat().st_mtime_ns == before, "copied again"
        with pytest.raises(LockedError), Staging() as other:
            other.open(*names)
        paths["memory://b/out.txt"].write_text("whole")
    assert notices == ["copying to memory://b/out.txt"]
    assert store.cat("/b/out.txt") == b"whole"
    assert _left(tmp_path) == []


def test_an_input_that_changed_is_copied_again(store: Any, tmp_path: Path) -> None:
    names: tuple[list[str], list[str]] = (["memory://b/in.txt"], ["memory://b/out.txt"])
    for content in (b"one", b"other"):
        store.pipe("/b/in.txt", content)
        assert _interrupted(*names)["memory://b/in.txt"].read_bytes() == content


def test_an_output_appears_whole_or_not_at_all(
    store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise OSError("the store is full")

    monkeypatch.setattr("cybersecqwen.apps.staging._copy", broken)
    with pytest.raises(InputError, match="store is full; the output is kept as"), Staging() as one:
        one.open([], ["memory://b/out.txt"])["memory://b/out.txt"].write_text("whole")
    assert not store.exists("/b/out.txt")
    assert _left(tmp_path) == ["out.txt"]


def test_a_corpus_and_a_log_elsewhere(store: Any, tmp_path: Path) -> None:
    pytest.importorskip("sparse_dot_topn")
    from small_corpus import write_small

    recipe = write_small(tmp_path / "data")
    for file in recipe.parent.iterdir():
        store.pipe(f"/b/data/{file.name}", file.read_bytes())
    call = ["corpus", "build", str(recipe), "--data", "memory://b/data"]
    assert main([*call, "--out", "memory://b/corpus"]) in {0, 1}
    assert main([*call[:3], "--out", str(tmp_path / "corpus")]) in {0, 1}
    for file in (tmp_path / "corpus").iterdir():
        assert store.cat(f"/b/corpus/{file.name}") == file.read_bytes()
    assert main([*call, "--out", "memory://b/corpus"]) == 2, "is there already"
    questions = "URL\tQuestion\tOption A\tOption B\tOption C\tOption D\tPrompt\tGT\n"
    store.pipe("/b/mcq.tsv", (questions + "u\tq1\ta\tb\tc\td\tp1\tB\n").encode())
    script = tmp_path / "mock.jsonl"
    script.write_text('{"reply": "Answer: B"}\n')
    call = ["eval", "run", "cti-mcq", "--data", "memory://b/mcq.tsv", "--model", f"mock:{script}"]
    for _ in range(2):
        assert main([*call, "--output", "memory://b/log.jsonl"]) == 0
    lines = store.cat("/b/log.jsonl").splitlines()
    assert len(lines) == 6
    assert json.loads(lines[1])["reading"] == "B"


def test_a_local_url_is_a_path(tmp_path: Path) -> None:
    feed, output = tmp_path / "a feed.jsonl", tmp_path / "o.jsonl"
    feed.write_text(LINE)
    call = ["map", "--input", feed.as_uri(), "--output", output.as_uri()]
    assert main(call) == 0
    assert output.read_bytes().count(b"\n") == 1


def test_without_a_url_no_file_system_is_loaded(tmp_path: Path) -> None:
    feed, output = tmp_path / "feed.jsonl", tmp_path / "out.jsonl"
    feed.write_text(LINE)
    code = (
        "import sys\nfrom cybersecqwen.cli.main import main\n"
        f"main(['map', '--quiet', '--input', {str(feed)!r}, '--output', {str(output)!r}])\n"
        "print('fsspec' in sys.modules, 'ray' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False False\n"
