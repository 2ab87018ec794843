"""Techniques of a sentence, a report and records, from the command line and over HTTP."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from cybersecqwen.cli.main import main

DUMPED = "The intruders dumped LSASS memory with procdump to harvest credentials."
REPORT = f"{DUMPED}\n\nThey created a scheduled task named Updater to survive reboots.\n"


def test_a_sentence_and_a_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["techniques", DUMPED]) == 0
    row = json.loads(capsys.readouterr().out)
    assert row["about"][0]["id"] == "T1003.001"
    assert row["about"][0]["parent"] == {"id": "T1003", "name": "OS Credential Dumping"}
    assert row["about"][0]["sentence"] == DUMPED
    assert row["abstained"] is False
    report = tmp_path / "report.txt"
    report.write_text(REPORT)
    assert main(["techniques", "--input", str(report)]) == 0
    told = {found["id"] for found in json.loads(capsys.readouterr().out)["tells"]}
    assert {"T1003.001", "T1053.005"} <= told
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(REPORT.encode())))
    assert main(["techniques", "-"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Likeliest on the whole")
    assert "T1053.005" in "\n".join(lines[lines.index("Told of") :])
    assert max(map(len, lines)) <= 80


def test_records_and_what_cannot_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records, output = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    records.write_text(json.dumps({"id": "a", "text": DUMPED}) + '\n{"id": "b", "text": " "}\n')
    call = ["techniques", "--input", str(records), "--output", str(output)]
    assert main(call) == 1
    assert [json.loads(line)["id"] for line in output.read_text().splitlines()] == ["a"]
    assert "(b)" in capsys.readouterr().err
    binary = tmp_path / "report.txt"
    binary.write_bytes(b"\xff\xfe\xff")
    for wrong in (
        ["techniques", " "],
        ["techniques", str(records)],
        ["techniques", DUMPED, "--input", str(records)],
        ["techniques", "--input", str(binary)],
        ["techniques", "--input", str(tmp_path / "missing.txt")],
    ):
        assert main(wrong) == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("T1003", "is an id"),
        ("CVE-2021-44228", "is an id"),
        ("N/A", "says that there is no description"),
        ("https://example.org/report", "nothing is fetched"),
        ("report.pdf", "no such file"),
        ('{"id": "a"}', "the text is JSON"),
        ("<html><body>They dumped LSASS.</body></html>", "the text is HTML"),
    ],
)
def test_what_tells_of_no_attack_is_refused_with_what_to_do(
    text: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["techniques", text]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_reports_in_the_encodings_of_editors(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], encoding: str
) -> None:
    report = tmp_path / "report.txt"
    report.write_bytes(f"At the caf\u00e9: {REPORT}".encode(encoding))
    assert main(["techniques", "--input", str(report)]) == 0
    row = json.loads(capsys.readouterr().out)
    assert "T1003.001" in {found["id"] for found in row["tells"]}
    report.write_bytes(b"%PDF-1.7\n1 0 obj\n")
    assert main(["techniques", "--input", str(report)]) == 2
    assert "the text is PDF" in capsys.readouterr().err


def test_records_as_one_object(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    records, output = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    records.write_text(json.dumps({"id": "a", "text": DUMPED}) + '\n{"id": "b", "text": "N/A"}\n')
    call = ["techniques", "--input", str(records), "--json"]
    assert main(call) == 1
    found = json.loads(capsys.readouterr().out)
    assert [row["id"] for row in found["items"]] == ["a"]
    assert [problem["id"] for problem in found["problems"]] == ["b"]
    assert main([*call, "--output", str(output)]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["rows"], found["output"]) == (1, str(output))


def test_words_that_nobody_knows_tell_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    for text in ("asdf qwer zxcv", "The new office has a view over the river."):
        assert main(["techniques", text]) == 0
        row = json.loads(capsys.readouterr().out)
        assert (row["abstained"], row["tells"]) == (True, [])
