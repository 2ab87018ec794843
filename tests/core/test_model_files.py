from __future__ import annotations

from pathlib import Path

import pytest

from cybersecqwen.core.errors import ModelError
from cybersecqwen.core.model_files import SUMS_FILE, check_stated_files, write_sums


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "part").mkdir()
    for name in ("config.json", "model.safetensors", "part/vocabulary.txt", "model.gguf"):
        (tmp_path / name).write_bytes(name.encode())
    write_sums(tmp_path)
    return tmp_path


def test_what_is_as_stated_passes(folder: Path) -> None:
    check_stated_files(folder, None, str(folder / "model.gguf"), "Qwen/a-hub-id")
    (folder / "notes.txt").write_text("stated nowhere")
    check_stated_files(folder)


@pytest.mark.parametrize("name", ["model.safetensors", "part/vocabulary.txt"])
def test_a_changed_or_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"other")
    check_stated_files(folder / "model.gguf")  # itself unchanged
    with pytest.raises(ModelError, match=f"{name}: is not the one that its folder states"):
        check_stated_files("Qwen/a-hub-id", folder)
    (folder / name).unlink()
    with pytest.raises(ModelError, match=f"{name}: is missing"):
        check_stated_files(folder)


def test_a_changed_file_of_one_model_is_named(folder: Path) -> None:
    (folder / "model.gguf").write_bytes(b"other")
    with pytest.raises(ModelError, match=r"model\.gguf: is not the one"):
        check_stated_files(folder / "model.gguf")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("no digest", ":1: not a line of sha256sum"),
        (f"{'0' * 64}  ../out", ":1: leads out of its folder"),
        (f"{'0' * 64}  /etc/passwd", ":1: leads out of its folder"),
    ],
)
def test_a_list_that_cannot_be_used_is_refused(folder: Path, line: str, reason: str) -> None:
    (folder / SUMS_FILE).write_text(line + "\n")
    with pytest.raises(ModelError, match=reason):
        check_stated_files(folder)
