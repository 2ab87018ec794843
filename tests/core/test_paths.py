from __future__ import annotations

from pathlib import Path

import pytest

from cybersecqwen.core.paths import knowledge_folder


def test_where_the_knowledge_base_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CYBERSECQWEN_KB", "/srv/kb")
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert knowledge_folder() == Path("/srv/kb")
    monkeypatch.delenv("CYBERSECQWEN_KB")
    assert knowledge_folder() == Path("/data/cybersecqwen/kb")
    monkeypatch.setenv("XDG_DATA_HOME", "relative/is/ignored")
    assert knowledge_folder() == Path.home() / ".local/share/cybersecqwen/kb"
