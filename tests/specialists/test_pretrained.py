from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from cybersecqwen import Assessor, CweMapper
from cybersecqwen.core.errors import InputError, ModelError
from cybersecqwen.specialists.model import shipped_folder
from cybersecqwen.specialists.pretrained import DOWNLOADED, FILES, pretrained_folder


def test_a_copy_answers_like_the_original(tiny_model: Path, tmp_path: Path) -> None:
    original = CweMapper.from_pretrained(tiny_model)
    original.save_pretrained(tmp_path / "copy")
    copy = CweMapper.from_pretrained(str(tmp_path / "copy"))
    assert copy.digest == original.digest
    assert copy.map("sql") == original.map("sql")
    assert {file.name for file in (tmp_path / "copy").iterdir()} <= set(FILES)


def test_a_folder_of_something_else_is_not_overwritten(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError):
        CweMapper.from_pretrained(tiny_model).save_pretrained(tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_the_shipped_model_has_no_name() -> None:
    assert pretrained_folder() == pretrained_folder("embedded") == shipped_folder()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A hub that has one model, in place of the package that downloads."""
    calls: dict[str, Any] = {}
    errors = ModuleType("huggingface_hub.errors")
    errors.HfHubHTTPError = type("HfHubHTTPError", (Exception,), {})  # type: ignore[attr-defined]
    errors.LocalEntryNotFoundError = type("Missing", (Exception,), {})  # type: ignore[attr-defined]
    fake = ModuleType("huggingface_hub")

    def download(repository: str, **options: Any) -> str:
        calls[repository] = options
        if repository != "org/model":
            raise errors.HfHubHTTPError("404 Client Error.\nRequest ID: 1")  # type: ignore[attr-defined]
        return "/cache/model"

    fake.snapshot_download = download  # type: ignore[attr-defined]
    monkeypatch.setattr("cybersecqwen.specialists.pretrained.require_extra", lambda *_: None)
    monkeypatch.setattr("cybersecqwen.specialists.pretrained.require_reachable", lambda _: None)
    monkeypatch.setitem(sys.modules, "huggingface_hub", fake)
    monkeypatch.setitem(sys.modules, "huggingface_hub.errors", errors)
    return calls


@pytest.mark.parametrize("name", ["org/model", "hf:org/model"])
def test_an_id_is_downloaded_with_the_models_files_alone(name: str, hub: dict[str, Any]) -> None:
    assert pretrained_folder(name, revision="v1") == Path("/cache/model")
    assert hub == {"org/model": {"revision": "v1", "allow_patterns": list(DOWNLOADED)}}
    assert set(FILES) | {"severity/model.onnx", "technique/vulnerability.npz"} < set(DOWNLOADED)


def test_a_folder_comes_before_an_id(
    hub: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "org/model").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert pretrained_folder("org/model") == Path("org/model")
    assert not hub


def test_an_id_that_the_hub_lacks_is_refused_in_one_line(hub: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match=r"^org/none: cannot be downloaded .*: 404 Client Error.$"):
        pretrained_folder("org/none")
    with pytest.raises(InputError, match="no embedded specialist"):
        pretrained_folder("gguf:x.gguf")
    assert pretrained_folder("./here/not") == Path("here/not")  # a path, whose loading will say so


def test_a_copy_of_the_shipped_model_assesses_like_it(tmp_path: Path) -> None:
    text = "SQL injection in the id parameter of list.php."
    CweMapper.from_pretrained().save_pretrained(tmp_path / "copy")
    copy, shipped = Assessor.from_pretrained(tmp_path / "copy"), Assessor.from_pretrained()
    assert copy.row(copy.assess(text)) == shipped.row(shipped.assess(text))


def test_what_a_text_denies_is_not_answered() -> None:
    mapper = CweMapper.from_pretrained()
    denied, other = mapper.map_many(
        ["No XSS was found; all inputs are encoded.", "SQL injection in id; no XSS was found."]
    )
    assert denied.abstained
    assert denied.band == "unsure"
    assert other.cwe == "CWE-89"
    assert not other.abstained
