"""The trainer stands on parts of TRL that are not public; this fails where they may have moved."""

from __future__ import annotations

import inspect
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

trl = pytest.importorskip("trl")
pytestmark = pytest.mark.torch


def test_the_installed_version_is_one_that_was_read() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    lines = [line for extra in project["optional-dependencies"].values() for line in extra]
    (pin,) = {line for line in lines if Requirement(line).name == "trl"}
    assert version("trl") in Requirement(pin).specifier
    # Raised together with the pin, after reading what has changed there.
    assert Version(version("trl")).release[:2] == (1, 16)


def test_what_is_taken_from_it_is_there() -> None:
    from trl.trainer import sft_trainer

    source = inspect.getsource(sft_trainer)
    for name in ("fused_lm_head", "is_top1", "label_mask"):
        assert name in source, f"LoraTrainer calls the model with TRL's {name}"
    assert callable(trl.SFTTrainer._send_telemetry), "overridden, so that nothing is sent"
