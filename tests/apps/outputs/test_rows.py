from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from apps.outputs.output_rows import TAXONOMY, advisory, named, prediction, record_row, written
from cybersecqwen.apps.outputs.mapping_usage import is_allowed, nearest_allowed
from cybersecqwen.apps.outputs.record_facts import is_unlabelled, record_url, relative_name
from cybersecqwen.apps.outputs.rows import RowMaker
from cybersecqwen.core.records import Candidate, CvssVector, CweLabel, CwePrediction


def test_row_of_a_prediction() -> None:
    said = CwePrediction(
        "CWE-787",
        0.123456789,
        (Candidate("CWE-787", 0.123456789),),
        True,
        Candidate("CWE-119", 1.0),
    )
    made = RowMaker(TAXONOMY, "m 1").row("CVE-1", said)
    assert (made.name, made.confidence, made.model) == ("Out-of-bounds Write", 0.123457, "m 1")
    assert (made.usage, made.catalogue) == ("allowed", TAXONOMY.version)
    assert made.backoff == named("CWE-119", 1.0)
    assert made.backoff.usage == "discouraged"
    assert made.candidates[0].name == "Out-of-bounds Write"


def test_row_ids_are_always_writable() -> None:
    made = RowMaker(TAXONOMY, "m 1").row("bad \ud800 id", prediction())
    assert json.loads(written("jsonl", made))["id"] == "bad \\ud800 id"
    record = advisory("x", description="\ud800", columns=(("a\udfff", "b\ud800"),))
    made = RowMaker(TAXONOMY, "m 1").record_row(record, prediction())
    assert json.loads(written("jsonl", made))["columns"] == {"a\\udfff": "b\\ud800"}


def test_row_of_a_record_says_what_the_record_says() -> None:
    made = record_row()
    assert (made.nvd_cwe, made.cna_cwe, made.agrees) == (("CWE-89",), ("CWE-74",), True)
    assert (made.cvss_score, made.cvss_severity, made.published) == (9.8, "critical", "2024-03-01")
    assert made.url == "https://nvd.nist.gov/vuln/detail/CVE-2024-10001"
    assert (made.file, made.line) == ("in/feed.jsonl", 7)
    assert made.columns == {"host": "web-1", "owner": "=HYPERLINK(1)"}


def test_a_row_says_what_its_text_denies() -> None:
    text = "SQL injection in the id parameter; no XSS was found."
    made = RowMaker(TAXONOMY, "m 1").record_row(advisory(description=text), prediction())
    assert made.denied == ("no XSS was found",)
    assert json.loads(written("jsonl", made))["denied"] == ["no XSS was found"]
    assert "denied" not in json.loads(written("jsonl", record_row()))
    (cells,) = csv.DictReader(written("csv", made).decode().splitlines())
    assert cells["denied"] == "no XSS was found"
    assert b",denied," not in written("csv", record_row())


@pytest.mark.parametrize(
    ("labels", "labeller", "agrees"),
    [
        ((), "nvd", None),
        ((("CWE-74", "cna"),), "nvd", False),
        ((("CWE-89", "adp"),), "nvd", True),
        ((("CWE-74", "nvd"), ("CWE-89", "cna")), "nvd", False),
        ((("CWE-74", "nvd"), ("CWE-89", "cna")), "cna", True),
        ((("NVD-CWE-noinfo", "nvd"),), "nvd", None),
    ],
)
def test_agreement_is_with_the_convention_asked_for(labels, labeller, agrees) -> None:
    record = advisory(labels=tuple(CweLabel(*label) for label in labels))
    made = RowMaker(TAXONOMY, "m").record_row(record, prediction(), labeller)
    assert made.agrees is agrees
    assert is_unlabelled(record) is (agrees is None)


def test_the_newest_vector_counts_and_a_broken_one_has_no_score() -> None:
    newest = "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N"
    both = (
        CvssVector("AV:N/AC:L/Au:N/C:P/I:P/A:P", "2.0", "nvd"),
        CvssVector(newest, "4.0", "cna"),
    )
    made = record_row(advisory(cvss=both))
    assert (made.cvss, made.cvss_score, made.cvss_severity) == (newest, 9.3, "critical")
    made = record_row(advisory(cvss=both[:1]))
    assert (made.cvss_score, made.cvss_severity) == (7.5, "high")
    made = record_row(advisory(cvss=(CvssVector("CVSS:3.1/AV:N", "3.1", "cna"),)))
    assert (made.cvss, made.cvss_score, made.cvss_severity) == ("CVSS:3.1/AV:N", None, "")


@pytest.mark.parametrize(
    ("record_id", "url"),
    [
        ("CVE-2024-12345", "https://nvd.nist.gov/vuln/detail/CVE-2024-12345"),
        ("GHSA-2222-3333-4444", "https://github.com/advisories/GHSA-2222-3333-4444"),
        ("PYSEC-2024-88", "https://osv.dev/vulnerability/PYSEC-2024-88"),
        ("line-3", "https://example.org/a"),
    ],
)
def test_a_record_has_a_page(record_id: str, url: str) -> None:
    assert record_url(record_id, ("ftp://x", "https://example.org/a")) == url


def test_an_input_s_name_is_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert relative_name(str(tmp_path / "in" / "a.json")) == "in/a.json"
    assert relative_name("/elsewhere/feed.zip/b.json") == "b.json"
    assert relative_name("in/a.json") == "in/a.json"
    assert relative_name("standard input") == "standard input"
    assert relative_name("") == ""


def test_only_allowed_ids_are_proposed() -> None:
    said = CwePrediction(
        "CWE-119",
        0.9,
        (Candidate("CWE-119", 0.9), Candidate("CWE-787", 0.06), Candidate("CWE-20", 0.02)),
        False,
    )
    made = RowMaker(TAXONOMY, "m", allowed_only=True).row("x", said)
    assert (made.cwe, made.usage, made.confidence) == ("CWE-787", "allowed", 0.06)
    assert made.instead_of == named("CWE-119", 0.9)
    assert made.abstained
    assert [c.cwe for c in made.candidates] == ["CWE-787"]
    kept = RowMaker(TAXONOMY, "m", allowed_only=True).row("x", prediction("CWE-89"))
    assert (kept.cwe, kept.instead_of, kept.abstained) == ("CWE-89", None, False)


def test_every_weakness_has_an_allowed_one_near() -> None:
    for entry in TAXONOMY:
        if entry.kind in {"category", "view"} or entry.deprecated:
            continue
        near = nearest_allowed(TAXONOMY, CwePrediction(entry.id, 1.0, (), False))
        assert is_allowed(TAXONOMY, near.cwe), entry.id
