"""What is compared as a bundle and is none."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from cybersecqwen.core.errors import InputError
from cybersecqwen.release.create import read_bundle_manifest


def test_a_zip_that_is_no_bundle_is_called_so(tmp_path: Path) -> None:
    path = tmp_path / "other.zip"
    with zipfile.ZipFile(path, "w"):
        pass
    with pytest.raises(InputError, match="this is no bundle"):
        read_bundle_manifest(path)
