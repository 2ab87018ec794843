from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cybersecqwen.cli.main import main
from cybersecqwen.core.errors import InputError
from cybersecqwen.corpus.catalogue_graph import CatalogueLibrary
from cybersecqwen.corpus.chat.from_quiz import quiz_drafts
from cybersecqwen.corpus.chat.recipe import ChatRecipe, Quiz, load_corpus_recipe
from cybersecqwen.corpus.records.recipe import CorpusRecipe
from small_chat import BENCHMARK_TEXT, write_small_chat
from small_corpus import write_small


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The small recipe and the folder it makes."""
    folder = tmp_path_factory.mktemp("chat")
    recipe = write_small_chat(folder / "data")
    assert main(["corpus", "build", str(recipe), "--out", str(folder / "out")]) == 0
    return recipe, folder / "out"


def _rows(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_recipe_says_which_kind_of_corpus_it_is(tmp_path: Path) -> None:
    assert isinstance(load_corpus_recipe(write_small_chat(tmp_path / "a")), ChatRecipe)
    assert isinstance(load_corpus_recipe(write_small(tmp_path / "b")), CorpusRecipe)
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("name: x\nkind: chat\nsources: [{path: a}]\nteachers: 3\n")
    with pytest.raises(InputError, match=r"wrong.yaml.*(teachers|knowledge)"):
        load_corpus_recipe(wrong)


def test_a_removed_key_is_named_with_the_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = write_small_chat(tmp_path / "data")
    recipe.write_text(recipe.read_text() + "analyst: {rows: 8, kinds: {weakness: 1}}\n")
    assert main(["corpus", "build", str(recipe), "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err.strip()
    assert "chat.yaml: `analyst`: questions of analysts are no longer made" in said
    assert said.count("\n") == 0
    assert not (tmp_path / "out").exists()


def test_limits_that_no_row_passes_are_told_with_the_reasons(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = write_small_chat(tmp_path / "data")
    recipe.write_text(recipe.read_text().replace("limits: {", "limits: {prompt: 1, "))
    assert main(["corpus", "build", str(recipe), "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert re.search(r"no row to train on comes of it \(\w+ \d+", said)
    assert not (tmp_path / "out").exists()


def test_rows_are_chat_examples_about_records_and_pages(built: tuple[Path, Path]) -> None:
    rows = _rows(built[1] / "train.jsonl")
    assert len(rows) >= 20
    for row in rows:
        assert set(row) == {"prompt", "response", "source", "kind"}
        assert all(row.values())
        assert re.match(r"CVE-\d|CWE-\d|CAPEC-\d", row["source"])
    kinds = {row["kind"] for row in rows}
    assert {"map-cna", "map-id-cna"} <= kinds
    assert {"quiz-open", "quiz-closed"} & kinds
    assert len([kind for kind in kinds if kind.startswith("knowledge-")]) >= 1


def test_an_answer_alone_is_the_label_and_a_reason_ends_with_it(built: tuple[Path, Path]) -> None:
    labels = {"CVE-2024-1": ("CWE-79", "CWE-89", "CWE-22", "CWE-352")}["CVE-2024-1"]
    for row in _rows(built[1] / "train.jsonl"):
        if row["kind"].startswith("map-") and row["kind"] != "map-reason":
            record = row["source"].split()[0]
            gold = labels[int(record[-1])]
            assert row["response"].splitlines()[-1] == row["response"].splitlines()[0] == gold
            assert "(CNA)" in row["prompt"] or "CNA" in row["prompt"] or "vendor" in row["prompt"]


def test_a_reason_alone_quotes_the_text_and_does_not_repeat_the_id(
    built: tuple[Path, Path],
) -> None:
    reasons = [r for r in _rows(built[1] / "train.jsonl") if r["kind"] == "map-reason"]
    assert len(reasons) >= 4
    for row in reasons:
        asked, _, text = row["prompt"].partition("CVE Description: ")
        assert re.search(r"points to CWE-\d+", asked)
        assert "CWE-" not in row["response"]
        quoted = re.findall(r'"([^"]+)"', row["response"])
        assert quoted
        assert all(words.lower() in text.lower() for words in quoted)


def test_validation_records_are_not_trained_on(built: tuple[Path, Path]) -> None:
    sources = {
        name: {row["source"].split()[0] for row in _rows(built[1] / f"{name}.jsonl")}
        for name in ("train", "validation")
    }
    records = {n: {s for s in found if s.startswith("CVE-")} for n, found in sources.items()}
    assert records["validation"]
    assert not records["train"] & records["validation"]


def test_the_benchmark_is_nowhere_and_check_proves_it(
    built: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe, out = built
    benchmark = str(recipe.parent / "bench.tsv")
    assert main(["corpus", "check", str(out), "--against", benchmark]) == 0
    assert "CVE-2024-9999" not in (out / "train.jsonl").read_text()
    leaking = {
        "prompt": f"What is it?\n\nCVE Description: {BENCHMARK_TEXT}",
        "response": "CWE-208",
        "source": "CVE-2020-1234",
        "kind": "map",
    }
    answer = {
        "prompt": "Tell me.",
        "response": BENCHMARK_TEXT,
        "source": "CWE-1",
        "kind": "quiz-closed",
    }
    for row in (leaking, answer):
        path = tmp_path / "leak.jsonl"
        path.write_text((out / "train.jsonl").read_text() + json.dumps(row) + "\n")
        capsys.readouterr()
        assert main(["corpus", "check", str(path), "--against", benchmark, "--json"]) == 1
        assert json.loads(capsys.readouterr().out)["overlapping_rows"] == 1


def test_the_same_recipe_gives_the_same_bytes_and_the_report_reads_back(
    built: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe, out = built
    again = tmp_path / "again"
    assert main(["corpus", "build", str(recipe), "--out", str(again), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    for file in sorted(out.iterdir()):
        assert (again / file.name).read_bytes() == file.read_bytes(), file.name
    assert main(["corpus", "report", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == report
    assert report["rows"]["train"] == sum(kind["train"] for kind in report["kinds"].values())
    assert report["removed"] == {"benchmark": 1}
    assert main(["corpus", "report", str(out)]) == 0
    assert "## Thrown away" in capsys.readouterr().out


def _script(path: Path, *rules: dict[str, object]) -> str:
    path.write_text("".join(json.dumps(rule) + "\n" for rule in rules))
    return f"mock:{path}"


def test_a_teacher_that_loses_facts_changes_nothing_and_is_counted(
    built: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe, out = built
    spec = _script(
        tmp_path / "script.jsonl",
        {"regex": "lacks a token", "error": "busy"},
        {"reply": "It is CWE-79, scored 9.9."},
    )
    taught = tmp_path / "taught"
    command = ["corpus", "build", str(recipe), "--out", str(taught), "--teacher", spec, "--json"]
    assert main(command) == 0
    phrasing = json.loads(capsys.readouterr().out)["phrasing"]
    assert phrasing["gave up"] >= 1
    assert phrasing["ids"] + phrasing.get("numbers", 0) >= 5
    assert "phrased" not in phrasing
    assert (taught / "train.jsonl").read_bytes() == (out / "train.jsonl").read_bytes()
    assert list(tmp_path.glob(".*")) == []


def test_a_build_killed_while_its_teacher_writes_takes_up_from_there(
    built: tuple[Path, Path], tmp_path: Path
) -> None:
    recipe, _ = built
    slow = _script(tmp_path / "script.jsonl", {"reply": "No.", "delay_s": 0.3})
    out = tmp_path / "out"
    command = ["corpus", "build", str(recipe), "--out", str(out), "--teacher", slow]
    journal = tmp_path / ".out.phrased.jsonl"
    child = subprocess.Popen(
        [sys.executable, "-m", "cybersecqwen", *command], env=os.environ, stderr=subprocess.DEVNULL
    )
    end = time.monotonic() + 120
    while time.monotonic() < end and not (journal.exists() and journal.stat().st_size > 100):
        time.sleep(0.05)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert not out.exists()
    known = journal.read_bytes().count(b"\n")
    assert known >= 1
    journal.write_bytes(journal.read_bytes() + b'{"key": "torn')
    # The script now gives up on everything: what it wrote before is still taken from the journal.
    _script(tmp_path / "script.jsonl", {"error": "gone"})
    assert main(command) == 0
    report = json.loads((out / "report.json").read_text())
    assert report["phrasing"]["ids"] + report["phrasing"].get("quotations", 0) >= 1
    assert report["phrasing"]["gave up"] >= 1
    assert not journal.exists()


def test_questions_can_be_answered_in_the_options_own_words(built: tuple[Path, Path]) -> None:
    recipe = load_corpus_recipe(built[0])
    assert isinstance(recipe, ChatRecipe)
    catalogues = (recipe.knowledge.cwe, *recipe.knowledge.stix)
    library = CatalogueLibrary.read(built[0].parent / name for name in catalogues)
    closed = quiz_drafts(recipe, Quiz(rows=0, open_book=0.0), library)
    worded = quiz_drafts(recipe, Quiz(rows=0, open_book=0.0, text_answers=1.0), library)
    assert worded["train"]
    for letter, words in zip(closed["train"], worded["train"], strict=True):
        assert (letter.kind, words.kind) == ("quiz-closed", "quiz-text")
        assert f"\n{letter.gold}. {words.response}\n" in words.prompt
