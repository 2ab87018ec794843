"""Fixtures that several rooms' tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real data; what uses it is marked ``data``."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("CYBERSECQWEN_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder} is not there (set CYBERSECQWEN_DATA)")
    return folder


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole model folder; see ``tiny_specialist`` for what it answers. Not to be changed."""
    pytest.importorskip("onnx")
    from tiny_specialist import write_model

    return write_model(tmp_path_factory.mktemp("model") / "tiny")
