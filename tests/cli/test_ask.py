from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cybersecqwen.cli.main import main
from mitre_files import write_all


@pytest.fixture(scope="module")
def kb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kb")
    files = write_all(folder)
    sources = ["--cwe", files["cwe"], "--attack", files["attack"], "--capec", files["capec"]]
    assert main(["kb", "build", *map(str, sources), "--out", str(folder / "kb")]) == 0
    return folder / "kb"


@pytest.fixture
def asked(
    kb: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> pytest.CaptureFixture[str]:
    monkeypatch.setenv("CYBERSECQWEN_KB", str(kb))
    capsys.readouterr()
    return capsys


def test_an_answer_and_its_passages_are_printed(asked: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", "How can lantern guessing be mitigated?"]) == 0
    out = asked.readouterr().out
    assert "Lock the lantern after three wrong codes. [T9100#mitigation-M9001]" in out
    assert out.count("three wrong codes") == 1, "nothing is said twice"


def test_an_old_knowledge_base_is_said_in_text_and_in_json(
    asked: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CYBERSECQWEN_MAX_AGE_DAYS", "1")
    assert main(["ask", "What is T9100.001?"]) == 0
    printed = asked.readouterr()
    assert "this site's limit is 1" in printed.err
    assert "limit" not in printed.out, "what is piped is the answer alone"
    assert main(["ask", "What is T9100.001?", "--json"]) == 0
    assert "this site's limit is 1" in json.loads(asked.readouterr().out)["warning"]


@pytest.mark.skipif(os.name != "posix", reason="Windows has no pipes that tell")
@pytest.mark.parametrize("verb", [["ask", "What is T9100.001?"], ["info"]])
def test_a_reader_that_leaves_ends_a_verb_quietly(verb: list[str], kb: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "cybersecqwen", *verb],
        stdout=writing,
        stderr=subprocess.PIPE,
        env=os.environ | {"CYBERSECQWEN_KB": str(kb)},
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_an_error(kb: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "cybersecqwen", "ask", "What is T9100.001?"],
            stdout=full,
            stderr=subprocess.PIPE,
            env=os.environ | {"CYBERSECQWEN_KB": str(kb)},
            check=False,
        )
    assert done.returncode == 2
    assert b"No space left" in done.stderr


def test_json_holds_the_whole_answer(asked: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", "What is T9100.001?", "--json"]) == 0
    answer = json.loads(asked.readouterr().out)
    assert answer["found"] is True
    assert "T9100.001" in answer["citations"]
    assert answer["passages"][0]["text"].startswith("Adversaries may try one code")
    assert answer["unsupported"] == []
    assert answer["prediction"] is None
    assert answer["model"] == "none"


def test_not_in_the_knowledge_base(asked: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", "Who won the football world cup?", "--json"]) == 0
    assert json.loads(asked.readouterr().out)["found"] is False


def test_choices(asked: pytest.CaptureFixture[str]) -> None:
    words = ["ask", "Which mitigation helps against Lantern Guessing?"]
    options = ["--choices", "Sing", "Lock the lantern after three wrong codes", "Wash it"]
    assert main([*words, *options]) == 0
    out = asked.readouterr().out
    assert "* B" in out
    assert "[T9100#mitigation-M9001]" in out
    assert main([*words, *options, "--json"]) == 0
    answer = json.loads(asked.readouterr().out)
    assert answer["letter"] == "B"
    assert sum(answer["probabilities"]) == pytest.approx(1)
    assert len(answer["passages"]) == 3


def test_a_model_writes_and_chooses(asked: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    script = tmp_path / "script.jsonl"
    reply = "Adversaries try one code against many lanterns [T9100.001]."
    rule = {"reply": reply, "scores": {"A": -3.0, "B": -0.1}}
    script.write_text(json.dumps(rule), "utf-8")
    model = ["--model", f"mock:{script}"]
    assert main(["ask", "What is wick spraying?", *model]) == 0
    assert "against many lanterns. [T9100.001]\n" in asked.readouterr().out
    choice = ["--choices", "one", "two", "--option", "rotations=1", "--json"]
    assert main(["ask", "How many lanterns?", *model, *choice]) == 0
    assert json.loads(asked.readouterr().out)["letter"] in "AB"


def test_a_named_knowledge_base_that_is_not_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CYBERSECQWEN_KB", str(tmp_path / "none"))
    assert main(["ask", "What is T9100?"]) == 2
    assert "no knowledge base there" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["ask", " "], "empty"),
        (["ask", "Which?", "--choices", "one"], "2 to 10"),
        (["ask", "Which?", "--option", "threads=2"], "--option goes with --model"),
        (["ask", "Which?", "--model", "nothing"], "no model SPEC of a language model"),
    ],
)
def test_what_cannot_be_asked_exits_with_2(
    asked: pytest.CaptureFixture[str], words: list[str], complaint: str
) -> None:
    assert main(words) == 2
    assert complaint in asked.readouterr().err


def test_a_choice_that_the_pages_hardly_answer_is_called_a_guess(
    asked: pytest.CaptureFixture[str],
) -> None:
    question = "Which port does LDAP over TLS use by default?"
    assert main(["ask", question, "--choices", "636", "389", "443", "Lantern Guessing"]) == 0
    printed = asked.readouterr().out
    assert "guess" in printed.lower().replace("lantern guessing", "")
