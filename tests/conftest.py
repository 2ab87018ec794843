"""Fixtures for every test."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Two workers share the machine, and the models here are tiny: more threads would only wait for each
# other. Set before anything loads PyTorch, and passed on to the processes that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# The store of whoever runs the tests has no say in them.
os.environ["CYBERSECQWEN_STORE"] = os.devnull + ".sqlite"

# The real data folder is for tests that ask for it; recipes of other tests name files of their own.
_DATA = os.environ.pop("CYBERSECQWEN_DATA", None)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real public data: ``CYBERSECQWEN_DATA``, else ``../shared/data``."""
    folder = Path(_DATA) if _DATA else Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no data folder at {folder}; set CYBERSECQWEN_DATA to one")
    return folder


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole model folder; see ``tiny_specialist`` for what it answers. Not to be changed."""
    pytest.importorskip("onnx")
    from tiny_specialist import write_model

    return write_model(tmp_path_factory.mktemp("model") / "tiny")
