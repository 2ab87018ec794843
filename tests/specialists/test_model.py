from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from cybersecqwen.core.errors import InputError, ModelError
from cybersecqwen.specialists.model import load_folder, read_config, resolve_folder


@pytest.fixture
def folder(tiny_model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_model, tmp_path / "copy"))


def change(folder: Path, **values: object) -> None:
    file = folder / "config.json"
    config = json.loads(file.read_text())
    file.write_text(json.dumps(config | values))


def test_whole_folder_loads(tiny_model: Path) -> None:
    loaded = load_folder(tiny_model)
    assert loaded.config.name == "tiny"
    assert loaded.graph == (tiny_model / "model.onnx").read_bytes()
    assert len(loaded.digest) == 64


def test_digest_changes_with_the_model(folder: Path) -> None:
    before = load_folder(folder).digest
    change(folder, version="9")
    assert load_folder(folder).digest != before


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such model folder"):
        load_folder(tmp_path / "nowhere")


def test_a_folder_of_something_else(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no readable config\.json"):
        load_folder(tmp_path)


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json"])
def test_damaged_file_is_named(folder: Path, name: str) -> None:
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(ModelError, match=f"{name}: damaged"):
        load_folder(folder)


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json"])
def test_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ModelError, match=f"{name}: cannot be read"):
        load_folder(folder)


def test_newer_format_asks_for_an_upgrade_whatever_else_it_holds(folder: Path) -> None:
    (folder / "config.json").write_text('{"format_version": 3, "shape": "unheard of"}')
    with pytest.raises(ModelError, match="install a newer cybersecqwen"):
        load_folder(folder)


def test_unknown_field_is_refused(folder: Path) -> None:
    change(folder, surprise=1)
    with pytest.raises(ModelError, match="surprise"):
        read_config(folder)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"labels": []}, "no labels"),
        ({"labels": ["CWE-79", "CWE-79"]}, "a label appears twice"),
        ({"labellers": ["nvd"]}, "exactly the labellers"),
        ({"temperature": {"nvd": 0.0, "cna": 1.0}}, "not above 0"),
        ({"threshold": {"nvd": 1.5, "cna": 0.5}}, "outside 0 to 1"),
        ({"format_version": 0}, "does not exist"),
        ({"max_tokens": 2}, "max_tokens"),
    ],
)
def test_contradictions_are_refused(folder: Path, values: dict[str, object], message: str) -> None:
    change(folder, **values)
    with pytest.raises(ModelError, match=message):
        read_config(folder)


def test_model_spec(tmp_path: Path) -> None:
    assert resolve_folder(str(tmp_path)) == tmp_path
    assert resolve_folder(None) == resolve_folder("embedded")
    with pytest.raises(InputError, match="gguf:x"):
        resolve_folder("gguf:x")


def test_a_language_model_is_no_specialist() -> None:
    with pytest.raises(InputError, match="no embedded specialist"):
        resolve_folder("hf:some/model")
