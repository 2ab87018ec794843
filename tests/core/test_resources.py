from __future__ import annotations

from pathlib import Path

import pytest

from cybersecqwen.core import resources
from cybersecqwen.core.resources import usable_cores, usable_memory


def test_there_is_a_core_and_some_memory() -> None:
    assert usable_cores() >= 1
    assert usable_memory() > 1 << 20


def test_a_system_without_sysconf(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(resources.os, "sysconf")
    monkeypatch.setattr(resources, "Path", lambda *_: Path("/nowhere"))
    assert resources.total_memory() is None
    assert resources.usable_memory() > 1 << 30
