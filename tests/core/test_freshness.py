"""Ages of parts, and the warning past the age that a site sets."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cybersecqwen.cli.main import main
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.freshness import LIMIT, age_limit, age_of, age_warning, missing


def _ago(days: int) -> str:
    return (datetime.now(UTC) - timedelta(days=days)).date().isoformat()


def test_ages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(LIMIT, raising=False)
    part = age_of("store", "2", _ago(40))
    assert (part.days, part.state) == (40, "fresh")
    assert age_warning([part]) == ""
    monkeypatch.setenv(LIMIT, "40")
    assert age_of("store", "2", _ago(40)).state == "fresh"
    old = age_of("store", "2", _ago(41), "fetch")
    assert old.state == "old"
    assert "TOO OLD" in str(old)
    assert age_warning([old, part]) == "store 2 is 41 days old; this site's limit is 40"
    assert age_of("model", "1", "").state == "undated"
    assert "MISSING: fetch one" in str(missing("store", "fetch one"))


@pytest.mark.parametrize("text", ["0", "-3", "a year", "1.5"])
def test_a_limit_that_is_no_number_of_days_is_refused(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv(LIMIT, text)
    with pytest.raises(InputError, match=LIMIT):
        age_limit()


def test_every_answer_carries_the_warning(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    feed = tmp_path / "feed.jsonl"
    feed.write_text('{"id": "X-1", "description": "SQL injection in the login form"}\n')
    words = ["map", "--input", str(feed), "--to", "jsonl"]
    assert main(words) == 0
    assert "warning" not in json.loads(capsys.readouterr().out)
    monkeypatch.setenv(LIMIT, "1")
    assert main(words) == 0
    assert "CWE catalogue" in json.loads(capsys.readouterr().out)["warning"]
    assert main(["map", "SQL injection in the login form", "--json"]) == 0
    assert "days old" in json.loads(capsys.readouterr().out)["warning"]
    assert main(["ask", "What is CWE-79?", "--json"]) == 0
    assert "knowledge base" in json.loads(capsys.readouterr().out)["warning"]


def test_info_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("CYBERSECQWEN_STORE", str(tmp_path / "none.sqlite"))
    assert main(["info"]) == 0
    assert "store of records is MISSING" in capsys.readouterr().out
    assert main(["info", "--json"]) == 0
    parts = {part["part"]: part for part in json.loads(capsys.readouterr().out)["parts"]}
    assert parts["store of records"]["state"] == "missing"
    assert parts["CWE catalogue"]["days"] > 0
