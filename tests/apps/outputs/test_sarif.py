from __future__ import annotations

import json
from typing import Any

import pytest

from apps.outputs.output_rows import advisory, prediction, record_row, row, written
from apps.outputs.schemas import faults, sarif_schema
from cybersecqwen.apps.outputs import sarif
from cybersecqwen.core.errors import InputError


def log(*rows) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(written("sarif", *rows))
    return made


def test_a_log_fits_the_standard_s_schema() -> None:
    rows = [record_row(), record_row(advisory("b"), prediction("CWE-787", 0.4, abstained=True))]
    assert faults(sarif_schema(), log(*rows, row("text", abstained=True))) == []
    assert faults(sarif_schema(), log()) == []
    assert faults(sarif_schema(), {"version": "2.1.0"}) != []  # the schema is not an empty one


def test_a_log_is_consistent() -> None:
    (run,) = log(row("a"), row("b", abstained=True))["runs"]
    rules, taxa = run["tool"]["driver"]["rules"], run["taxonomies"][0]["taxa"]
    assert [rule["id"] for rule in rules] == [taxon["id"] for taxon in taxa] == ["CWE-79"]
    assert rules[0]["helpUri"] == "https://cwe.mitre.org/data/definitions/79.html"
    assert [result["level"] for result in run["results"]] == ["warning", "note"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        (taxon,) = result["taxa"]
        assert taxa[taxon["index"]]["id"] == taxon["id"]
        assert result["properties"]["confidence"] == 0.45
        assert result["message"]["text"].startswith(("a: CWE-79", "b: CWE-79"))


def test_what_github_asks_for_is_there() -> None:
    (run,) = log(record_row(advisory(where="in/my feed.jsonl:7")), row("text"))["runs"]
    first, second = run["results"]
    (place,) = first["locations"]
    assert place["physicalLocation"] == {
        "artifactLocation": {"uri": "in/my%20feed.jsonl"},
        "region": {"startLine": 7},
    }
    assert second["locations"][0]["physicalLocation"]["region"]["startLine"] == 1
    for rule in run["tool"]["driver"]["rules"]:
        assert rule["fullDescription"]["text"]
        assert rule["help"]["text"]
        assert 0 <= float(rule["properties"]["security-severity"]) <= 10
    severity = {
        r["id"]: r["properties"]["security-severity"] for r in run["tool"]["driver"]["rules"]
    }
    assert severity == {"CWE-89": "9.8", "CWE-79": "5.0"}


def test_an_alert_stays_the_same_from_run_to_run() -> None:
    def marks(*rows) -> list[str]:
        results = log(*rows)["runs"][0]["results"]
        return [r["partialFingerprints"]["primaryLocationLineHash"] for r in results]

    before = marks(record_row(advisory("CVE-2024-10001")), record_row(advisory("line-2")))
    other = record_row(advisory("CVE-2024-9", description="another"))
    moved = record_row(advisory("CVE-2024-10001", line=99), prediction("CWE-787"))
    assert marks(other, moved, record_row(advisory("line-3")))[1:] == before
    twice = marks(record_row(), record_row())
    assert len(set(twice)) == 2


def test_a_log_is_cut_into_runs_that_github_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sarif, "SHOWN_RESULTS", 3)
    rows = [row(f"r{number}") for number in range(7)]
    runs = log(*rows)["runs"]
    assert [len(run["results"]) for run in runs] == [3, 3, 1]
    assert len({run["automationDetails"]["id"] for run in runs}) == 3
    assert faults(sarif_schema(), log(*rows)) == []
    monkeypatch.setattr(sarif, "MOST_RUNS", 2)
    assert [len(run["results"]) for run in log(*rows)["runs"]] == [4, 3]
    monkeypatch.setattr(sarif, "MOST_RESULTS", 3)
    with pytest.raises(InputError, match="map the input in parts"):
        log(*rows)
