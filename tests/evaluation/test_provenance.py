from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import cybersecqwen
from cybersecqwen.evaluation import provenance


def git(folder: Path, *words: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    command = ["git", "-C", str(folder), *identity, *words]
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    git(tmp_path, "init")
    monkeypatch.setattr(cybersecqwen, "__file__", str(package / "__init__.py"))
    return tmp_path


def test_a_checkout_names_its_commit_and_whether_it_is_changed(checkout: Path) -> None:
    git(checkout, "add", ".")
    git(checkout, "commit", "-m", "first")
    clean = provenance.code_state()
    assert len(clean.commit) == 40
    assert not clean.dirty
    (checkout / "package" / "__init__.py").write_text("x = 1\n")
    assert provenance.code_state() == provenance.CodeState(clean.commit, dirty=True)


def test_a_package_that_merely_lies_in_a_repository_has_no_commit(checkout: Path) -> None:
    (checkout / "other.txt").write_text("x")
    git(checkout, "add", "other.txt")
    git(checkout, "commit", "-m", "somebody else's")
    assert provenance.code_state() == provenance.CodeState()


def test_versions_name_what_shapes_results() -> None:
    found = provenance.versions()
    assert {"cybersecqwen", "python", "numpy", "onnxruntime"} <= set(found)
