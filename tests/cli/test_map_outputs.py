"""What ``map`` writes beside the answers: every format by its ending, reports, selections."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from cybersecqwen.cli.main import main

RECORDS = [
    {"id": "CVE-2024-10001", "description": "sql in the login form", "cwe": "CWE-89", "host": "a"},
    {"id": "CVE-2024-10002", "description": "sql in a report", "cwe": "CWE-79", "host": "b"},
    {"id": "CVE-2024-10003", "description": "write past the buffer", "cwe": "", "host": "c"},
]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "in" / "records.csv"
    path.parent.mkdir()
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, ["id", "description", "cwe", "host"])
    writer.writeheader()
    writer.writerows(RECORDS)
    path.write_text(text.getvalue(), "utf-8")
    return path


def run(source: Path, model: Path, *arguments: str) -> int:
    return main(["map", "--input", str(source), "--model", str(model), "-q", *arguments])


def rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@pytest.mark.parametrize(
    "ending", [".jsonl", ".csv", ".csv.gz", ".xlsx", ".sarif", ".html", ".md", ".txt"]
)
def test_each_ending_is_written(
    source: Path, tiny_model: Path, tmp_path: Path, ending: str
) -> None:
    output = tmp_path / f"out{ending}"
    assert run(source, tiny_model, "--output", str(output)) == 0
    magic = {".xlsx": b"PK", ".csv.gz": b"\x1f\x8b", ".html": b"<!doctype", ".md": b"# Weak"}
    assert output.read_bytes().startswith(magic.get(ending, b""))
    assert output.stat().st_size > 200


@pytest.mark.parametrize("name", ["out.docx", "out"])
def test_an_unknown_ending_writes_nothing(
    source: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert run(source, tiny_model, "--output", str(tmp_path / name)) == 2
    assert ".xlsx" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_input_columns_come_out(source: Path, tiny_model: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.csv"
    assert run(source, tiny_model, "--output", str(output)) == 0
    read = list(csv.DictReader(io.StringIO(output.read_text("utf-8"), newline="")))
    assert [row["host"] for row in read] == ["a", "b", "c"]
    assert [row["description"] for row in read] == [record["description"] for record in RECORDS]
    assert [row["url"].rsplit("/", 1)[-1] for row in read] == [row["id"] for row in read]


def test_selections(source: Path, tiny_model: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    assert run(source, tiny_model, "--output", str(output)) == 0
    everything = rows(output)
    differing = [row for row in everything if row["agrees"] is False]
    unlabelled = [row for row in everything if row["agrees"] is None]
    assert differing
    assert unlabelled
    assert run(source, tiny_model, "--disagreements", "--output", str(output)) == 0
    assert rows(output) == differing
    assert run(source, tiny_model, "--only-unlabelled", "--output", str(output)) == 0
    assert [row["id"] for row in rows(output)] == [row["id"] for row in unlabelled]


def test_reports_beside_any_output(
    source: Path, tiny_model: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    page, text = tmp_path / "r.html", tmp_path / "r.md"
    both = ["--report", str(page), "--report", str(text)]
    assert run(source, tiny_model, *both, "--to", "jsonl") == 0
    printed = capfdbinary.readouterr().out
    assert len(printed.splitlines()) == 3
    first = page.read_bytes()
    assert b"records.csv" in first
    assert "Records answered: 3" in text.read_text("utf-8")
    assert run(source, tiny_model, *both, "--output", str(tmp_path / "o.jsonl")) == 0
    assert page.read_bytes() == first
    assert (tmp_path / "o.jsonl").read_bytes() == printed


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--report", "r.pdf"], "a report is a page"),
        (["--report", "r.html", "--report", "r.html"], "a file of their own"),
        (["--to", "csaf"], "no JSON, so it cannot be filled in"),
    ],
)
def test_what_cannot_be_written_is_refused(
    source: Path,
    tiny_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(source, tiny_model, *arguments) == 2
    assert said in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_a_document_comes_back_filled_in(tiny_model: Path, tmp_path: Path) -> None:
    note = {"category": "description", "text": "sql in the login form"}
    vulnerability = {"cve": "CVE-2024-10001", "notes": [note]}
    document = {
        "document": {"csaf_version": "2.0", "category": "csaf_security_advisory", "title": "t"},
        "vulnerabilities": [vulnerability],
    }
    source = tmp_path / "advisory.json"
    source.write_text(json.dumps(document, indent=2), "utf-8")
    output = tmp_path / "out.csaf.json"
    assert run(source, tiny_model, "--threshold", "0", "--output", str(output)) == 0
    made = json.loads(output.read_text("utf-8"))
    assert made["vulnerabilities"][0].pop("cwe")["id"].startswith("CWE-")
    assert made == document
