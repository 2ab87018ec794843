from __future__ import annotations

import json
from pathlib import Path

import pytest

from cybersecqwen.cli.main import main
from small_corpus import BENCHMARK_TEXT, write_small


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    return write_small(tmp_path / "data")


def test_build_report_and_check(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["corpus", "build", str(recipe), "--out", str(out)]) == 0
    shown = capsys.readouterr()
    assert "train" in shown.out
    assert shown.err == ""
    assert main(["corpus", "report", str(out)]) == 0
    assert capsys.readouterr().out == (out / "report.md").read_text()
    assert main(["corpus", "report", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["parts"]["train"]["rows"] == 3
    benchmark = str(recipe.parent / "bench.tsv")
    assert main(["corpus", "check", str(out), "--against", benchmark]) == 0
    assert capsys.readouterr().out.endswith("clean\n")


def test_data_folder_by_option_and_by_environment(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "recipes" / "small.yaml"
    elsewhere.parent.mkdir()
    elsewhere.write_text(recipe.read_text())
    monkeypatch.delenv("CYBERSECQWEN_DATA", raising=False)
    call = ["corpus", "build", str(elsewhere), "--out"]
    assert main([*call, str(tmp_path / "none")]) == 2
    assert not (tmp_path / "none").exists()
    assert main([*call, str(tmp_path / "a"), "--data", str(recipe.parent)]) == 0
    monkeypatch.setenv("CYBERSECQWEN_DATA", str(recipe.parent))
    assert main([*call, str(tmp_path / "b")]) == 0


def test_json_is_one_object(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["corpus", "build", str(recipe), "--out", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads((out / "report.json").read_text())


def test_records_that_cannot_be_read_are_named_and_the_rest_is_built(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (recipe.parent / "cna.jsonl").open("a") as stream:
        stream.write('{"cve": "CVE-2020-7777", "description": 5}\n')
    out = tmp_path / "out"
    assert main(["corpus", "build", str(recipe), "--out", str(out)]) == 1
    error = capsys.readouterr().err
    assert "cna.jsonl:4: " in error
    assert "CVE-2020-7777" in error
    assert len((out / "train.jsonl").read_text().splitlines()) == 3


def test_check_exits_1_with_a_table_and_examples(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = tmp_path / "chat.jsonl"
    rows.write_text(json.dumps({"prompt": f"CVE Description: {BENCHMARK_TEXT}", "response": "x"}))
    call = ["corpus", "check", str(rows), "--against", str(recipe.parent / "bench.tsv")]
    assert main(call) == 1
    shown = capsys.readouterr().out
    assert "chat.jsonl:1: text 1.0000 with CVE-2023-9999, bench.tsv" in shown
    assert "not clean: 1 rows overlap" in shown
    assert main([*call, "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert (report["clean"], report["overlapping_rows"]) == (False, 1)


@pytest.mark.parametrize(
    "call",
    [
        ["check", "missing.jsonl", "--against", "bench.tsv"],
        ["check", "nvd.jsonl", "--against", "missing.tsv"],
        ["check", "nvd.jsonl", "--against", "bench.tsv", "--cosine", "0"],
        ["report", "."],
        ["build", "missing.yaml", "--out", "out"],
    ],
)
def test_a_call_that_cannot_be_done_exits_2(
    recipe: Path,
    call: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(recipe.parent)
    assert main(["corpus", *call]) == 2
    assert capsys.readouterr().err.startswith("cybersecqwen: ")


def test_a_bases_own_answers_come_beside_its_corpus(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "script.jsonl"
    script.write_text('{"match": "JSON", "reply": "[]"}\n{"reply": "Gladly."}\n')
    (tmp_path / "train.jsonl").write_text("")
    words = ["corpus", "replay", str(tmp_path), "--base", f"mock:{script}", "--prompts", "30"]
    assert main(words) == 0
    assert "30 answers of mock:" in capsys.readouterr().out
    rows = [json.loads(line) for line in (tmp_path / "replay.jsonl").read_text().splitlines()]
    assert {row["response"] for row in rows} == {"[]", "Gladly."}
    assert {row["source"] for row in rows} == {f"mock:{script}"}
    assert main([*words[:2], str(tmp_path / "nowhere"), *words[3:]]) == 2
    assert "no folder of a corpus" in capsys.readouterr().err
    assert main([*words, "--option", "batch_size"]) == 2
    assert "--option 'batch_size' is not NAME=VALUE" in capsys.readouterr().err
