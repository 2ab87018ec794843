from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path

import pytest

from cybersecqwen.cli import doctor
from cybersecqwen.cli.main import main
from cybersecqwen.specialists import model

REQUIRED = [
    "msgspec>=0.19",
    "certainly-not-there>=1",
    'also-not-there>=2; extra == "train"',
    'msgspec[toml]>=0.19; extra == "train"',
    'msgspec>=0.19; extra == "eval"',
]


@pytest.fixture
def shipped(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "shipped_folder", lambda: tiny_model)


@pytest.mark.usefixtures("shipped")
def test_sound_installation(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert found["works"]
    assert found["model"] == "tiny 1.2.3"
    assert found["cores"] >= 1
    assert main(["doctor"]) == 0
    assert capfd.readouterr().out.rstrip().endswith("map works")


def test_model_that_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(model, "shipped_folder", lambda: tmp_path / "weights")
    assert main(["doctor"]) == 1
    assert "the shipped model does not answer" in capfd.readouterr().out


def test_extras_and_missing_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.metadata, "requires", lambda _: REQUIRED)
    found = doctor.diagnose()
    assert not found.works
    assert "certainly-not-there is missing" in found.problems[0]
    assert found.packages["msgspec"] == metadata.version("msgspec")
    assert found.extras["train"].missing == ["also-not-there"]
    assert found.extras["train"].command == "pip install 'cybersecqwen[train]'"
    assert found.extras["eval"].installed
