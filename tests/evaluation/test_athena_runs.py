"""``eval run`` of AthenaBench's ``ate`` and ``vsp`` on rows of our own in their format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cybersecqwen.cli.main import main

ASK_TECHNIQUE = (
    "You are given a scenario of an attack. Say which MITRE ATT&CK technique it shows.\n\n"
    "Scenario: {}\n\nAnswer with the id alone, as in TXXXX or TXXXX.XXX."
)
SCENARIOS = {
    "T1003.001": (
        "After they had become administrators of the mail server, the intruders dumped the memory "
        "of the LSASS process with procdump and took the credentials out of it at home."
    ),
    "T1486": (
        "Overnight every file on the hospital's shares was encrypted and got a new ending, and a "
        "note asked for payment in bitcoin for the key."
    ),
    "T1053.005": (
        "The implant registered a scheduled task with schtasks on the Windows host, so that it was "
        "started again every hour."
    ),
}
ASK_VECTOR = "Give the CVSS v3.1 base vector of this vulnerability.\n\n{}"
FLAWS = {
    "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N": (
        "Reflected cross-site scripting in the search page allows remote attackers to inject "
        "arbitrary web script via the q parameter."
    ),
    "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H": (
        "SQL injection in login.php allows remote unauthenticated attackers to execute arbitrary "
        "SQL commands via the user parameter."
    ),
}


def run(
    capsys: pytest.CaptureFixture[str], task: str, rows: list[dict[str, Any]], folder: Path
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    file, log = folder / f"{task}.jsonl", folder / f"{task}-log.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    words = ("run", task, "--data", file, "--model", "embedded", "--output", log, "--json")
    assert main(["eval", *map(str, words)]) == 0
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    return result, [line for line in lines if "reading" in line]


def test_each_scenario_is_answered_with_one_technique_that_its_description_does_not_tell(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    # The field ``description`` is of the right technique: here it is of a wrong one throughout.
    wrong = "Adversaries may abuse the at utility to perform task scheduling."
    rows = [
        {"id": number, "prompt": ASK_TECHNIQUE.format(text), "answer": right, "description": wrong}
        for number, (right, text) in enumerate(SCENARIOS.items())
    ]
    result, answers = run(capsys, "athena-ate", rows, tmp_path)
    # A sub-technique is read as its main one, as the benchmark's own scorer does.
    assert [answer["reading"] for answer in answers] == [name.split(".")[0] for name in SCENARIOS]
    assert (result["n"], result["parse_failures"], result["accuracy"]) == (3, 0, 1.0)


def test_each_flaw_is_answered_with_a_vector_and_all_are_counted(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    rows = [
        {
            "cve_id": f"CVE-2030-000{number}",
            "description": text,
            "prompt": ASK_VECTOR.format(text),
            "answer": vector,
        }
        for number, (vector, text) in enumerate(FLAWS.items())
    ]
    result, answers = run(capsys, "athena-vsp", rows, tmp_path)
    assert (result["n"], result["parse_failures"]) == (2, 0)
    assert all(answer["reading"].startswith("CVSS:3.1/AV:N/AC:L/PR:N/") for answer in answers)
    assert 0 <= result["mad"] < 2
