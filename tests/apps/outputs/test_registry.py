from __future__ import annotations

import json
from pathlib import Path

import pytest

from apps.outputs.output_rows import TAXONOMY, named, row, written
from cybersecqwen.apps.outputs.registry import FORMATS, format_named, format_of_file
from cybersecqwen.core.errors import InputError


@pytest.mark.parametrize("known", FORMATS, ids=lambda known: known.name)
def test_each_ending_means_its_format(known) -> None:
    for ending in known.endings:
        assert format_of_file(Path(f"out{ending.upper()}")) is known
        assert format_of_file(Path(f"out{ending}.gz")) is known
    assert format_named(known.name) is known


@pytest.mark.parametrize("name", ["x.js", "x.docx", "x", "-", ".csv.zip"])
def test_an_unknown_ending_is_an_error_that_names_those_known(name: str) -> None:
    with pytest.raises(InputError, match=r"\.jsonl.*\.csv.*\.xlsx.*--to"):
        format_of_file(Path(name))


def test_an_unknown_format_is_an_error_that_names_those_known() -> None:
    with pytest.raises(InputError, match="jsonl, json, csv, xlsx"):
        format_named("docx")


def test_jsonl_has_the_published_fields() -> None:
    first, second = written("jsonl", row(), row("b", abstained=True)).splitlines()
    assert json.loads(first) == {
        "id": "CVE-2024-1",
        "cwe": "CWE-79",
        "name": TAXONOMY.name("CWE-79"),
        "confidence": 0.45,
        "candidates": [
            {
                "cwe": cwe,
                "name": TAXONOMY.name(cwe),
                "probability": probability,
                "usage": named(cwe, 1.0).usage,
            }
            for cwe, probability in (("CWE-79", 0.45), ("CWE-89", 0.35))
        ],
        "abstained": False,
        "backoff": None,
        "model": "tiny 1",
        "usage": "allowed",
        "catalogue": TAXONOMY.version,
    }
    assert json.loads(second)["backoff"]["cwe"] == "CWE-74"


@pytest.mark.parametrize("to", ["jsonl", "csv", "xlsx", "sarif", "table", "cve5", "markdown"])
def test_no_rows_is_a_whole_document(to: str) -> None:
    made = written(to)
    if to == "sarif":
        assert json.loads(made)["runs"][0]["results"] == []
    elif to == "xlsx":
        assert made.startswith(b"PK")
    else:
        assert len(made.splitlines()) == {"jsonl": 0, "cve5": 0, "markdown": 5}.get(to, 1)
