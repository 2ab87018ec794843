from __future__ import annotations

import json
import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

from cybersecqwen.core import telemetry


def test_importing_the_package_sets_every_switch() -> None:
    environment = {k: v for k, v in os.environ.items() if k not in telemetry.SWITCHES}
    environment["DO_NOT_TRACK"] = "0"  # a profile of the user's does not undo the promise
    code = "import cybersecqwen, os, json; print(json.dumps(dict(os.environ)))"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, check=True
    )
    found = json.loads(done.stdout)
    assert {name: found[name] for name in telemetry.SWITCHES} == telemetry.SWITCHES


def test_a_reporting_library_imported_first_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", types.ModuleType("onnxruntime"))
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY")
    with pytest.warns(RuntimeWarning, match="imported before cybersecqwen"):
        telemetry.switch_off()
    telemetry.switch_off()  # set by now: silent


def test_leftovers_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert telemetry.leftovers() == []
    folder = tmp_path / "cache" / "Microsoft" / "DeveloperTools" / ".onnxruntime"
    folder.mkdir(parents=True)
    assert telemetry.leftovers() == [folder]
