from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.files import write_text
from cybersecqwen.core.locks import LockedError
from cybersecqwen.core.work_folder import publish, work_folder
from killing import in_a_small_process, kills


def _run(out: Path, what: str = "recipe", *, resume: bool = False) -> None:
    with work_folder(out, [what, 1], resume=resume) as work:
        write_text(work / "checkpoint", what)
        made = work / "folder"
        made.mkdir(exist_ok=True)
        write_text(made / "model", what)
        publish(made, work, out)


def _broken_off(out: Path) -> None:
    with work_folder(out, ["recipe", 1], resume=False) as work:
        write_text(work / "checkpoint", "half")
        raise KeyboardInterrupt


def test_work_left_behind_is_gone_on_with_only_by_its_own_run(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        _broken_off(out)
    with pytest.raises(InputError, match="another recipe or corpus"):
        _run(out, "other", resume=True)
    with pytest.raises(InputError, match="give --resume"):
        _run(out)
    assert (tmp_path / "out.work" / "checkpoint").read_text() == "half"
    _run(out, resume=True)
    assert [f.name for f in tmp_path.iterdir()] == ["out"]
    with pytest.raises(InputError, match="is there already"):
        _run(out, resume=True)


def test_a_full_disk_is_told_with_what_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=0))
    told = r"out: cannot be written: the disk is full; what is done is kept in .*out\.work"
    with pytest.raises(InputError, match=told), work_folder(tmp_path / "out", 1, resume=False):
        raise RuntimeError("file write failed")


def test_two_runs_do_not_share_a_work_folder(tmp_path: Path) -> None:
    with work_folder(tmp_path / "out", 1, resume=False) as work:
        assert work == tmp_path / "out.work"
        with pytest.raises(LockedError):
            work_folder(tmp_path / "out", 1, resume=True).__enter__()
        with work_folder(tmp_path / "out", 1, resume=True, writes=False) as same:
            assert same == work


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@in_a_small_process
def test_whenever_it_is_killed_it_can_be_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)
    out = tmp_path / "out"
    for step in kills(lambda: _run(out)):
        if out.exists():
            assert (out / "model").read_text() == "recipe", f"killed at step {step}"
            with pytest.raises(InputError, match="is there already"):
                _run(out, resume=True)
        else:
            _run(out, resume=True)
        assert [f.name for f in tmp_path.iterdir()] == ["out"], f"killed at step {step}"
        (out / "model").unlink()
        out.rmdir()
