from __future__ import annotations

import csv
import io
import json

import pytest

from cybersecqwen.apps.outputs.rows import MapRow, NamedCwe, RowMaker
from cybersecqwen.apps.outputs.writers import TableWriter, writer_for
from cybersecqwen.core.records import Candidate, CwePrediction
from cybersecqwen.core.taxonomy import shipped_taxonomy

TAXONOMY = shipped_taxonomy()


def row(record_id: str = "CVE-2024-1", *, abstained: bool = False) -> MapRow:
    backoff = NamedCwe("CWE-74", TAXONOMY.name("CWE-74"), 0.8) if abstained else None
    candidates = tuple(
        NamedCwe(cwe, TAXONOMY.name(cwe), p) for cwe, p in (("CWE-79", 0.45), ("CWE-89", 0.35))
    )
    name = candidates[0].name
    return MapRow(record_id, "CWE-79", name, 0.45, candidates, abstained, backoff, "tiny 1")


def render(to: str, *rows: MapRow) -> str:
    writer = writer_for(to, taxonomy=TAXONOMY, version="0.1.0", width=80)  # type: ignore[arg-type]
    return b"".join(writer(rows)).decode("utf-8")


def test_row_of_a_prediction() -> None:
    prediction = CwePrediction(
        "CWE-787",
        0.123456789,
        (Candidate("CWE-787", 0.123456789),),
        True,
        Candidate("CWE-119", 1.0),
    )
    made = RowMaker(TAXONOMY, "m 1").row("CVE-1", prediction)
    assert (made.name, made.confidence, made.model) == ("Out-of-bounds Write", 0.123457, "m 1")
    assert made.backoff == NamedCwe("CWE-119", TAXONOMY.name("CWE-119"), 1.0)
    assert made.candidates[0].name == "Out-of-bounds Write"


def test_row_ids_are_always_writable() -> None:
    prediction = CwePrediction("CWE-79", 1.0, (Candidate("CWE-79", 1.0),), False)
    made = RowMaker(TAXONOMY, "m 1").row("bad \ud800 id", prediction)
    assert json.loads(render("jsonl", made))["id"] == "bad \\ud800 id"


def test_jsonl_has_the_published_fields() -> None:
    first, second = render("jsonl", row(), row("b", abstained=True)).splitlines()
    assert json.loads(first) == {
        "id": "CVE-2024-1",
        "cwe": "CWE-79",
        "name": TAXONOMY.name("CWE-79"),
        "confidence": 0.45,
        "candidates": [
            {"cwe": "CWE-79", "name": TAXONOMY.name("CWE-79"), "probability": 0.45},
            {"cwe": "CWE-89", "name": TAXONOMY.name("CWE-89"), "probability": 0.35},
        ],
        "abstained": False,
        "backoff": None,
        "model": "tiny 1",
    }
    assert json.loads(second)["backoff"]["cwe"] == "CWE-74"


@pytest.mark.parametrize("name", ["plain", 'quote " and , comma', "new\r\nline", "ünïcode 漢字"])
def test_csv_reads_back(name: str) -> None:
    text = render("csv", row(name, abstained=True), row("next"))
    first, second = csv.DictReader(io.StringIO(text, newline=""))
    assert first["id"] == name
    assert first["candidates"] == "CWE-79 0.45|CWE-89 0.35"
    assert (first["abstained"], first["backoff_cwe"]) == ("true", "CWE-74")
    assert (second["id"], second["abstained"], second["backoff_cwe"]) == ("next", "false", "")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_csv_cells_are_no_formulas(start: str) -> None:
    (read,) = csv.DictReader(io.StringIO(render("csv", row(f"{start}cmd|x!A1")), newline=""))
    assert read["id"] == f"'{start}cmd|x!A1"


def test_table_fits_its_width_and_obeys_no_escape() -> None:
    text = render("table", row("CVE-2024-1\x1b[2J"), row("b" * 200, abstained=True))
    lines = text.splitlines()
    assert len(lines) == 3
    assert all(len(line) <= 80 for line in lines)
    assert "\x1b" not in text
    assert lines[0].index("CWE") == lines[1].index("CWE-79") == lines[2].index("CWE-79")
    assert "not sure: a kind of CWE-74" in lines[2]


def test_table_of_one_text_lists_its_candidates() -> None:
    text = TableWriter(60).single(row(abstained=True))
    assert [line[:8].strip() for line in text.splitlines()][:2] == ["CWE-79", "CWE-89"]
    assert "a kind of CWE-74" in text


def test_sarif_is_consistent() -> None:
    log = json.loads(render("sarif", row("a"), row("b", abstained=True)))
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
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


@pytest.mark.parametrize("to", ["jsonl", "csv", "sarif", "table"])
def test_no_rows_is_a_whole_document(to: str) -> None:
    text = render(to)
    if to == "sarif":
        assert json.loads(text)["runs"][0]["results"] == []
    else:
        assert len(text.splitlines()) == (0 if to == "jsonl" else 1)
