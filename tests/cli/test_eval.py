from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cybersecqwen.cli.main import main

RCM = "URL\tDescription\tPrompt\tGT\n"


@pytest.fixture
def rcm_file(tmp_path: Path) -> Path:
    rows = [f"u{n}\tscript flaw {n}\tMap {n}\tCWE-{79 if n % 3 else 89}\n" for n in range(12)]
    file = tmp_path / "rcm.tsv"
    file.write_text(RCM + "".join(rows))
    return file


@pytest.fixture
def script(tmp_path: Path) -> Path:
    file = tmp_path / "mock.jsonl"
    file.write_text('{"match": "Map 1", "reply": "no idea"}\n{"reply": "It is CWE-79"}\n')
    return file


def call(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    code = main(["eval", *map(str, words)])
    out, err = capsys.readouterr()
    return code, out, err


def one_object(text: str) -> dict[str, Any]:
    (line,) = text.splitlines()
    found: dict[str, Any] = json.loads(line)
    return found


def test_run_score_compare_report(
    capsys: pytest.CaptureFixture[str], rcm_file: Path, script: Path, tmp_path: Path
) -> None:
    log, other = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    words = ("run", "cti-rcm", "--data", rcm_file, "--model", f"mock:{script}", "--trials", 2)
    code, out, err = call(capsys, *words, "--output", log, "--json")
    result = one_object(out)
    assert (code, err) == (0, "")
    assert (result["task"], result["model"], result["protocol"]) == (
        "cti-rcm",
        f"mock:{script}",
        "ref",
    )
    assert (result["n"], result["trials"], result["parse_failures"]) == (12, 2, 6)
    assert result["accuracy"] == pytest.approx(5 / 12)
    assert result["ci95"][0] < result["accuracy"] < result["ci95"][1]
    assert [baseline["name"] for baseline in result["baselines"]] == ["majority", "svm"]
    assert result["baselines"][1]["needs"]

    scored = one_object(call(capsys, "score", log, "--json")[1])
    assert set(scored["readers"]) == {"saved", "ref", "faith", "paper-2025"}
    assert scored["accuracy"] == result["accuracy"]
    assert scored["digest"] == result["digest"]

    baseline = ("run", "cti-rcm", "--data", rcm_file, "--model", "baseline:majority")
    assert call(capsys, *baseline, "--output", other)[0] == 0
    compared = one_object(call(capsys, "compare", log, other, "--json")[1])
    assert compared["n"] == 12
    assert compared["pairs"][0]["test"]["only_b"] == 3

    code, out, _ = call(capsys, "report", log, other, "--output", tmp_path / "out")
    assert code == 0
    assert out.split() == [str(tmp_path / "out" / n) for n in ("report.html", "report.md")]


def test_text_output_has_the_interval_and_the_baselines(
    capsys: pytest.CaptureFixture[str], rcm_file: Path, tmp_path: Path
) -> None:
    words = ("run", "cti-rcm", "--data", rcm_file, "--model", "baseline:majority")
    _, out, _ = call(capsys, *words, "--output", tmp_path / "a.jsonl")
    assert "accuracy 0.6667  95 % [" in out
    assert "always CWE-79" in out
    assert "1.000      0.667  CWE-79 Improper Neutralization" in out
    assert "svm: give training rows: --train FILE" in out
    assert "by every reader" not in call(capsys, "score", tmp_path / "a.jsonl")[1]
    _, out, _ = call(capsys, "compare", tmp_path / "a.jsonl", tmp_path / "a.jsonl")
    assert "McNemar" in out


def test_items_that_failed_are_named_and_the_others_kept(
    capsys: pytest.CaptureFixture[str], rcm_file: Path, tmp_path: Path
) -> None:
    script = tmp_path / "m.jsonl"
    script.write_text('{"match": "Map 3", "error": "HTTP 500"}\n{"reply": "CWE-79"}\n')
    log = tmp_path / "a.jsonl"
    words = ("run", "cti-rcm", "--data", rcm_file, "--model", f"mock:{script}", "--trials", 1)
    code, out, err = call(capsys, *words, "--output", log, "--json")
    assert code == 1
    assert "rcm-0003, trial 0: HTTP 500" in err
    assert (one_object(out)["errors"], one_object(out)["n"]) == (1, 12)
    script.write_text('{"reply": "CWE-79"}\n')
    code, out, err = call(capsys, *words, "--output", log, "--json")
    assert (code, err) == (0, "")
    assert one_object(out)["errors"] == 0


def test_an_unfinished_log_is_scored_and_says_so(
    capsys: pytest.CaptureFixture[str], rcm_file: Path, tmp_path: Path
) -> None:
    log = tmp_path / "a.jsonl"
    words = ("run", "cti-rcm", "--data", rcm_file, "--model", "baseline:majority")
    call(capsys, *words, "--output", log)
    log.write_bytes(log.read_bytes()[:-10])
    code, out, err = call(capsys, "score", log, "--json")
    assert code == 1
    assert "1 answers are missing; its last line is unfinished" in err
    assert one_object(out)["complete"] is False


def test_import(capsys: pytest.CaptureFixture[str], rcm_file: Path, tmp_path: Path) -> None:
    golds = ["CWE-89" if n % 3 == 0 else "CWE-79" for n in range(12)]
    file = tmp_path / "cti-rcm-responses.tsv"
    file.write_text("GT\tM\n" + "".join(f"{gold}\tCWE-79\n" for gold in golds))
    words = ("import", file, "--from", "cti-bench", "--output", tmp_path / "logs")
    code, out, _ = call(capsys, *words, "--questions", f"cti-rcm={rcm_file}", "--json")
    task = one_object(out)["tasks"]["cti-rcm"]
    assert code == 0
    assert (task["released_correct"], task["correct"], task["n"]) == (8, 8, 12)
    assert task["models"]["M"]["correct"] == 8
    assert "right: released 8, ours 8" in call(capsys, *words)[1]
    code, out, err = call(capsys, *words, "--questions", "rcm.tsv")
    assert (code, out) == (2, "")
    assert "NAME=VALUE" in err


@pytest.mark.parametrize(
    "words",
    [
        ("score", "none.jsonl"),
        ("compare", "none.jsonl", "none.jsonl"),
        ("report", "none.jsonl", "--output", "out"),
        ("import", "none.json", "--from", "reference", "--output", "out"),
        ("run", "cti-rcm", "--data", "none.tsv", "--output", "x.jsonl"),
        ("run", "cti-rcm", "--data", "none.tsv", "--output", "x.jsonl", "--option", "novalue"),
    ],
)
def test_unusable_input_writes_nothing(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = call(capsys, *words)
    assert (code, out) == (2, "")
    assert err.startswith("cybersecqwen: ")
    assert not (tmp_path / "x.jsonl").exists()


def test_a_place_that_cannot_be_written_is_named(
    capsys: pytest.CaptureFixture[str], rcm_file: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    words = ("run", "cti-rcm", "--data", rcm_file, "--model", "baseline:majority")
    code, out, err = call(capsys, *words, "--output", tmp_path / "file" / "log.jsonl")
    assert (code, out) == (2, "")
    assert str(tmp_path / "file") in err


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys, cybersecqwen.cli.eval; "
        "print([m for m in ('numpy', 'scipy', 'sklearn', 'torch', 'msgspec') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() in ("[]", "['msgspec']")
