"""What ``assess`` and ``audit`` take and print for a person."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from cybersecqwen.apps.assess_stream import WholeRows
from cybersecqwen.apps.audit import Differences
from cybersecqwen.cli import assess, audit
from cybersecqwen.cli.main import main

TEXT = "SQL injection in the id parameter of list.php lets anyone read the database."
RECORD = {
    "id": "CVE-2031-1",
    "title": "Search box",
    "description": TEXT,
    "cwe": "CWE-79",
    "url": "https://vendor.example/1",
    "host": "web1",
}


@pytest.mark.parametrize("columns", [60, 80])
def test_an_assessment_fits_the_terminal(
    columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    assert main(["assess", TEXT]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("NVD           CWE-89 ")
    assert lines[1].startswith("Vendor (CNA)  CWE-89 ")
    assert max(map(len, lines)) <= max(columns, 76)
    shown = "\n".join(lines)
    for words in ("Severity", "v4.0", "Attack Vector", "Techniques", "Mitigations", "[CWE-89#"):
        assert words in shown


def test_what_is_no_description_is_refused_with_what_to_do(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "feed.json"
    file.write_text("[]")
    for given, told in (
        ("CVE-2021-44228", "an id"),
        ("N/A", "no description"),
        (str(file), f"assess --input {file}"),
    ):
        assert main(["assess", given]) == 2
        assert told in capsys.readouterr().err
    assert main(["audit", TEXT]) == 2
    assert "record" in capsys.readouterr().err


def test_a_record_may_be_typed_or_piped(
    capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["assess", json.dumps(RECORD)]) == 0
    typed = capsysbinary.readouterr().out
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(json.dumps(RECORD).encode())))
    assert main(["assess", "-"]) == 0
    piped = json.loads(capsysbinary.readouterr().out)
    row = json.loads(typed)
    assert row["id"] == piped["id"] == "CVE-2031-1"
    # What goes in comes out, the record's own word apart from ours.
    assert (row["title"], row["columns"]["host"]) == ("Search box", "web1")
    assert row["record"]["cwe"] == [{"cwe": "CWE-79", "by": "other"}]
    assert row["agrees"] is False
    # A table's own label is audited as the publisher's.
    assert main(["audit", json.dumps(RECORD)]) == 0
    assert json.loads(capsysbinary.readouterr().out)["weakness"]["own"] == ["CWE-79"]
    assert main(["audit", "--labeller", "nvd", json.dumps(RECORD)]) == 0
    shown = capsysbinary.readouterr()
    assert shown.out == b""
    assert b"0 differ; 1 without NVD's weakness or vector" in shown.err


def test_rows_come_out_as_tables_and_sheets(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, sheet, page = tmp_path / "in.jsonl", tmp_path / "out.csv", tmp_path / "report.md"
    file.write_text(json.dumps(RECORD) + '\n{"id": "b", "description": "N/A"}\n')
    call = ["assess", "--input", str(file)]
    assert main([*call, "--output", str(sheet), "--report", str(page)]) == 1
    header, line = sheet.read_text().splitlines()
    assert {"our_cvss", "our_cvss_score", "techniques", "host"} <= set(header.split(","))
    assert "CVSS:3.1/AV:N" in line
    assert "CWE-89" in page.read_text()
    capsys.readouterr()
    assert main([*call, "--to", "table"]) == 1
    assert capsys.readouterr().out.splitlines()[0].split()[:4] == ["ID", "CWE", "SURE", "CVSS"]
    assert main([*call, "--to", "text"]) == 1
    assert "it says CWE-79" in capsys.readouterr().out
    assert main([*call, "--output", str(tmp_path / "out.weird")]) == 2


def test_an_audit_reads_at_a_glance(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = {"type": "CWE", "lang": "en", "cweId": "CWE-79", "description": "CWE-79"}
    container = {
        "descriptions": [{"lang": "en", "value": TEXT}],
        "problemTypes": [{"descriptions": [said]}],
        "metrics": [{"cvssV3_1": {"vectorString": "CVSS:3.1/AV:P/AC:H/PR:H/UI:R/S:U/C:N/I:N/A:L"}}],
        "providerMetadata": {"shortName": "Acme"},
    }
    record = {
        "dataType": "CVE_RECORD",
        "dataVersion": "5.1",
        "cveMetadata": {"cveId": "CVE-2031-1", "state": "PUBLISHED"},
        "containers": {"cna": container},
    }
    file = tmp_path / "record.json"
    file.write_text(json.dumps(record))
    for form, words in (
        ("table", ("WORTH", "CWE-79 -> CWE-89", "weakness", "AV")),
        ("text", ("the record says CWE-79", "SQL Injection", "Attack Vector: Physical there")),
        ("csv", ("own_cwe", "AV P->N")),
    ):
        assert main(["audit", "--input", str(file), "--to", form]) == 0
        shown = capsys.readouterr().out
        for word in words:
            assert word in shown
    cut = "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:U/C:H/I:H"
    container["metrics"] = [{"cvssV3_1": {"vectorString": cut}}]
    file.write_text(json.dumps(record))
    for form, word in (
        ("table", "invalid ->"),
        ("text", f"the record says {cut}, which is no vector of CVSS v3"),
        ("csv", cut),
    ):
        assert main(["audit", "--input", str(file), "--to", form]) == 0
        assert word in capsys.readouterr().out


def test_help_names_the_formats_that_rows_have() -> None:
    assert WholeRows.formats == assess.OUTPUT_FORMATS
    assert Differences.formats == audit.OUTPUT_FORMATS
