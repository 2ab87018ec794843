"""Fixtures for every test."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real public data: ``CYBERSECQWEN_DATA``, else ``../shared/data``."""
    named = os.environ.get("CYBERSECQWEN_DATA")
    folder = Path(named) if named else Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no data folder at {folder}; set CYBERSECQWEN_DATA to one")
    return folder
