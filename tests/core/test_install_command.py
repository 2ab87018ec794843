from __future__ import annotations

import json
import shlex
import sys
from importlib import metadata
from pathlib import Path

import pytest

from cybersecqwen.core import install_command as module
from cybersecqwen.core.errors import MissingExtraError, require_extra
from cybersecqwen.core.install_command import install_command


def _installed_from(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Distribution:
        def read_text(self, name: str) -> str | None:
            return json.dumps({"url": url}) if url and name == "direct_url.json" else None

    monkeypatch.setattr(module.metadata, "distribution", lambda _: Distribution())


def test_a_package_from_a_folder_is_installed_from_there_by_this_python(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _installed_from("file:///home/me/my%20clone", monkeypatch)
    words = shlex.split(install_command("serve"))
    assert words == [sys.executable, "-m", "pip", "install", "/home/me/my clone[serve]"]
    with pytest.raises(MissingExtraError, match=r"my clone\[llm\]"):
        require_extra("llm", "not_there_at_all")


def test_a_package_from_an_archive_or_an_index_by_its_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _installed_from("https://example.org/cybersecqwen.whl", monkeypatch)
    assert shlex.split(install_command("serve"))[-1] == "cybersecqwen[serve]"


def test_a_source_tree_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(_: str) -> object:
        raise metadata.PackageNotFoundError

    monkeypatch.setattr(module.metadata, "distribution", absent)
    root = str(Path(__file__).parents[2])
    assert shlex.split(install_command())[-1] == root
