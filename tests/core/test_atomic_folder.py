from __future__ import annotations

from pathlib import Path

import pytest

from cybersecqwen.core.atomic_folder import atomic_folder
from cybersecqwen.core.errors import InputError


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
