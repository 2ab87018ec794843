from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from cybersecqwen.cli.main import main
from cybersecqwen.core.model_files import write_sums


def test_facts_as_json(tiny_model: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(tiny_model), "--json"]) == 0
    facts = json.loads(capfd.readouterr().out)
    assert (facts["name"], facts["version"], len(facts["labels"])) == ("tiny", "1.2.3", 6)
    assert facts["bytes"] == sum(file.stat().st_size for file in tiny_model.iterdir())
    assert facts["provenance"] == {"made_by": "a test"}


def test_facts_for_a_person(tiny_model: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(tiny_model)]) == 0
    out = capfd.readouterr().out
    assert "cna: temperature 2.000, abstains under 0.50" in out
    assert "made_by: a test" in out


def test_what_a_folder_states_and_what_is_never_run(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    (tmp_path / "config.json").write_text('{"auto_map": {"AutoModel": "modeling_own.Own"}}')
    write_sums(tmp_path)
    (tmp_path / "modeling_own.py").write_text("raise SystemExit('run')")
    (tmp_path / "optimizer.pt").write_bytes(b"")
    assert main(["info", str(tmp_path)]) == 0
    out = capfd.readouterr().out
    assert "a language model (safetensors)" in out
    assert "model.safetensors (checked)" in out
    assert "2 files; stated nowhere: modeling_own.py, optimizer.pt" in out
    assert "modeling_own.py, optimizer.pt: never run or loaded" in out
    assert "asks for code of its own" in out
    assert main(["info", f"hf:{tmp_path}", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["code"] == ["modeling_own.py", "optimizer.pt"]
    (tmp_path / "model.safetensors").write_bytes(b"others")
    assert main(["info", str(tmp_path)]) == 2
    assert "not the one that its folder states" in capfd.readouterr().err


def test_the_shipped_folder_states_its_specialists(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "--json"]) == 0
    facts = json.loads(capfd.readouterr().out)
    assert facts["code"] == []
    assert "severity/model.onnx" not in facts["unstated"]
    assert "severity/README.md" in facts["unstated"]


def test_damaged_model(tiny_model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    copy = Path(shutil.copytree(tiny_model, tmp_path / "copy"))
    (copy / "model.onnx").write_bytes(b"")
    assert main(["info", str(copy)]) == 2
    assert "damaged" in capfd.readouterr().err
