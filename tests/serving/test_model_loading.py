from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest

pytest.importorskip("fastapi")
from cybersecqwen.cli.main import main
from cybersecqwen.core.errors import InputError, ModelError
from cybersecqwen.core.files import digest_of
from cybersecqwen.serving import model_loading
from cybersecqwen.serving.model_loading import open_language_model, open_specialist
from cybersecqwen.serving.settings import ServeSettings
from tiny_specialist import write_model


def test_digest_of_a_folder_is_that_of_the_list(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "model"
    (folder / "b").mkdir(parents=True)
    for name in ("b/two", "one", "b1", ".hidden"):
        (folder / name).write_text(name)
    assert main(["info", str(folder), "--digest"]) == 0
    digest = capfd.readouterr().out.strip()
    by_hand = "".join(
        f"{hashlib.sha256(name.encode()).hexdigest()}  {name}\n" for name in ("b/two", "b1", "one")
    )
    assert digest == digest_of(folder) == hashlib.sha256(by_hand.encode()).hexdigest()
    if shutil.which("sha256sum"):
        command = "LC_ALL=C; export LC_ALL; sha256sum b/two b1 one | sha256sum"
        shell = subprocess.run(command, shell=True, cwd=folder, capture_output=True, check=True)
        assert shell.stdout.split()[0].decode() == digest
    (folder / "one").write_text("other")
    assert digest_of(folder) != digest
    assert main(["info", str(tmp_path / "none"), "--digest"]) == 2


def test_specialist_of_ones_own_needs_its_checksum(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "tiny")
    with pytest.raises(InputError, match=r"--specialist-sha256 [0-9a-f]{64}"):
        open_specialist(ServeSettings(specialist=str(folder)))
    with pytest.raises(InputError, match="is not what you named"):
        open_specialist(ServeSettings(specialist=str(folder), specialist_sha256="0" * 64))
    digest = hashlib.sha256((folder / "config.json").read_bytes()).hexdigest()
    mapper = open_specialist(ServeSettings(specialist=str(folder), specialist_sha256=digest))
    assert mapper.name == "tiny 1.2.3"


def test_language_models_need_their_checksum(tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(b"GGUF")
    for given in ("", "0" * 64):
        with pytest.raises(InputError, match=r"checksum"):
            open_language_model(ServeSettings(model=f"gguf:{file}", model_sha256=given))
    with pytest.raises(InputError, match="loads only what is on disk"):
        open_language_model(ServeSettings(model="hf:some/repository"))
    assert open_language_model(ServeSettings()) is None


def test_weights_that_could_run_code_are_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelError, match="must be safetensors; it has none"):
        open_language_model(ServeSettings(model=f"hf:{tmp_path}"))
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(ModelError, match=r"pytorch_model\.bin, which can run code"):
        open_language_model(ServeSettings(model=f"hf:{tmp_path}"))
    (tmp_path / "model.safetensors").write_bytes(b"")
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "../elsewhere.safetensors"}}))
    with pytest.raises(ModelError, match="leads out of its folder"):
        open_language_model(ServeSettings(model=f"hf:{tmp_path}"))
    index.write_text("{}")
    with pytest.raises(ModelError, match="no index of weights"):
        open_language_model(ServeSettings(model=f"hf:{tmp_path}"))


def test_safetensors_are_opened_without_pickles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"")
    (tmp_path / "model.safetensors.index.json").write_text('{"weight_map": {"a": "x.safetensors"}}')
    seen = {}
    monkeypatch.setattr(
        model_loading, "open_backend", lambda spec, **more: seen.update(more) or spec
    )
    spec = f"hf:{tmp_path}"
    with pytest.raises(InputError, match="--model-sha256"):
        open_language_model(ServeSettings(model=spec))
    digest = digest_of(tmp_path)
    open_language_model(ServeSettings(model=spec, model_sha256=digest))
    assert seen == {"local": True}
