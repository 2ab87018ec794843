from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from cybersecqwen.cli.main import main


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


def test_damaged_model(tiny_model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    copy = Path(shutil.copytree(tiny_model, tmp_path / "copy"))
    (copy / "model.onnx").write_bytes(b"")
    assert main(["info", str(copy)]) == 2
    assert "damaged" in capfd.readouterr().err
