from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path

import pytest

from cybersecqwen.cli import doctor
from cybersecqwen.cli.main import main
from cybersecqwen.core.install_command import install_command
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
    monkeypatch.setattr(metadata, "requires", lambda _: REQUIRED)
    found = doctor.diagnose()
    assert not found.works
    assert "certainly-not-there is missing" in found.problems[0]
    assert found.packages["msgspec"] == metadata.version("msgspec")
    assert found.extras["train"].missing == ["also-not-there"]
    assert found.extras["train"].command == install_command("train")
    assert found.extras["eval"].installed


def test_usage_reporting_and_what_it_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = tmp_path / "Microsoft" / "DeveloperTools" / ".onnxruntime"
    folder.mkdir(parents=True)
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    assert "ORT_DISABLE_TELEMETRY" in said
    assert f"{folder} was left by an earlier run" in said
    assert "shipped with the package" in said or "your own" in said


def test_demo(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo"]) == 0
    out, err = capsys.readouterr()
    assert "CVE-2099-0002  CWE-79" in out
    assert "1 rejected, skipped; 1 reserved, skipped; 0 problems" in err
