from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from cybersecqwen.core import atomic_folder as module
from cybersecqwen.core.atomic_folder import atomic_folder, recover, scratch_folder
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.files import write_text
from cybersecqwen.core.locks import LockedError
from killing import in_a_small_process, kills


def _make(path: Path, content: str) -> None:
    with atomic_folder(path, "marker") as part:
        (part / "marker").write_text(content)


def _fail(out: Path) -> None:
    """Leave the block by an error that says what stood at ``out`` meanwhile."""
    with atomic_folder(out, "marker") as part:
        (part / "marker").write_text("half")
        raise RuntimeError((out / "marker").read_text() if out.exists() else "nothing")


def test_nothing_appears_before_the_end_and_nothing_stays_after_an_error(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    with pytest.raises(RuntimeError, match="nothing"):
        _fail(out)
    assert list((tmp_path / "deep").iterdir()) == []


def test_an_earlier_output_is_replaced_whole(tmp_path: Path) -> None:
    out = tmp_path / "out"
    _make(out, "one")
    (out / "extra").write_text("x")
    _make(out, "two")
    assert [(f.name, f.read_text()) for f in out.iterdir()] == [("marker", "two")]
    assert [f.name for f in tmp_path.iterdir()] == ["out"]


def test_what_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "thesis"
    folder.mkdir()
    (folder / "chapter").write_text("years of work")
    file = tmp_path / "file"
    file.write_text("x")
    for path in (folder, file):
        with pytest.raises(InputError, match="already there"):
            _make(path, "one")
    assert (folder / "chapter").read_text() == "years of work"
    assert file.read_text() == "x"


def test_what_a_kill_leaves_is_put_right(tmp_path: Path) -> None:
    out = tmp_path / "out"
    # Killed while working, and killed between the two renames that replace an earlier output.
    (tmp_path / ".out.part").mkdir()
    (tmp_path / ".out.part" / "marker").write_text("half")
    (tmp_path / ".out.old").mkdir()
    (tmp_path / ".out.old" / "marker").write_text("one")
    with pytest.raises(RuntimeError, match="one"):
        _fail(out)
    assert [f.name for f in tmp_path.iterdir()] == ["out"]
    _make(out, "two")
    assert (out / "marker").read_text() == "two"


def test_without_a_marker_nothing_is_replaced(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "out") as part:
        (part / "a").write_text("x")
    with pytest.raises(InputError, match="is there already"), atomic_folder(tmp_path / "out"):
        pass


def _replaceable(folder: Path) -> str:
    out = folder / "out"
    recover(out)
    return (out / "marker").read_text() + (out / "sub" / "more").read_text()


def _replace(folder: Path, content: str) -> None:
    with atomic_folder(folder / "out", "marker") as part:
        write_text(part / "marker", content)
        (part / "sub").mkdir()
        write_text(part / "sub" / "more", content)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kill processes, not the machine: nothing needs to reach the disk."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.mark.usefixtures("quick")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("swaps", [True, False])
@in_a_small_process
def test_whenever_it_is_killed_the_old_or_the_new_is_there(
    tmp_path: Path, swaps: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not swaps:
        monkeypatch.setattr(module, "_swap", lambda *_: False)
    _replace(tmp_path, "old")
    found: set[str] = set()
    steps = 0
    for step in kills(lambda: _replace(tmp_path, "new")):
        seen = _replaceable(tmp_path)
        assert seen in {"oldold", "newnew"}, f"killed at step {step}"
        found.add(seen)
        # Whoever comes next clears what is left, and can write.
        _replace(tmp_path, "old")
        assert [f.name for f in tmp_path.iterdir()] == ["out"], f"killed at step {step}"
        steps = step
    assert found == {"oldold", "newnew"}
    assert steps > 40


@pytest.mark.usefixtures("quick")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_whenever_a_write_is_killed_the_file_holds_the_old_or_the_new(tmp_path: Path) -> None:
    path = tmp_path / "out"
    write_text(path, "old")
    for step in kills(lambda: write_text(path, "new")):
        assert path.read_text() in {"old", "new"}, f"killed at step {step}"
        write_text(path, "old")
        assert [f.name for f in tmp_path.iterdir()] == ["out"], f"killed at step {step}"


def test_scratch_goes_and_what_a_killed_run_left_too(tmp_path: Path) -> None:
    left = tmp_path / ".out.zip.scratch"
    left.mkdir()
    (left / "half").write_text("made")
    with scratch_folder(tmp_path / "out.zip") as folder:
        assert not list(folder.iterdir())
        (folder / "made").write_text("whole")
        with pytest.raises(LockedError), scratch_folder(tmp_path / "out.zip"):
            pass
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such rights")
@pytest.mark.parametrize(("rights", "given"), [(0o755, 0o644), (0o700, 0o600)])
def test_files_are_open_to_whom_the_folder_is(tmp_path: Path, rights: int, given: int) -> None:
    with atomic_folder(tmp_path / "out") as part:
        part.chmod(rights)
        (part / "sub").mkdir()
        for name in ("own", "sub/own", "program"):
            (part / name).touch()
            (part / name).chmod(0o700 if name == "program" else 0o600)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "out").rglob("*")}
    assert modes["own"] == (tmp_path / "out" / "sub" / "own").stat().st_mode & 0o777 == given
    assert modes["program"] == 0o700


def test_a_full_disk_is_told_whatever_a_library_calls_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class LibraryError(Exception):
        pass

    def writes(space: int) -> None:
        monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=space))
        with atomic_folder(tmp_path / "out") as part:
            (part / "half").write_text("half")
            raise LibraryError

    with pytest.raises(InputError, match="out: cannot be written: the disk is full"):
        writes(1000)
    with pytest.raises(LibraryError):
        writes(1 << 30)
    assert list(tmp_path.iterdir()) == []
