from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from cybersecqwen.core.errors import InputError
from cybersecqwen.sources.benchmarks import athena_bench

VECTOR = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"


def write(path: Path, *lines: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_questions_of_five_options(tmp_path: Path) -> None:
    item = {
        "id": 7,
        "url": "https://example.org/T1",
        "question": "Which technique?",
        "correct_answer": "T1059",
        "prompt": "Choose. Which technique?",
        "answer": "e",
        **{f"option_{letter}": f"option {letter}" for letter in "abcde"},
    }
    (question,) = athena_bench.read_questions(write(tmp_path / "mcq.jsonl", item), "mcq")
    assert question.gold == "E"
    assert len(question.choices) == 5
    assert question.text == "Which technique?"


def test_questions_on_vulnerabilities(tmp_path: Path) -> None:
    item = {"cve_id": "CVE-2025-1", "description": "A flaw.", "prompt": "p", "answer": VECTOR}
    (question,) = athena_bench.read_questions(write(tmp_path / "vsp.jsonl", item), "vsp")
    assert (question.source, question.text, question.gold) == ("CVE-2025-1", "A flaw.", VECTOR)


@pytest.mark.parametrize(
    ("answer", "prediction", "score", "task", "correct"),
    [
        ("CWE-79", "CWE-79", 1, "rcm", True),
        ("CWE-79", "CWE-89", 0, "rcm", False),
        (VECTOR, VECTOR, 0.0, "vsp", True),
        (VECTOR, VECTOR.replace("AV:N", "AV:L"), 1.4, "vsp", False),
        ("T1218.001", "T1218", 1, "ate", True),
        ("C", "C", 1, "mcq", True),
        ("Lazarus", "APT34", {"correct": 0, "plausible": 1}, "taa", False),
    ],
)
def test_scored_lines_tell_their_task(
    tmp_path: Path, answer: str, prediction: str, score: Any, task: str, correct: bool
) -> None:
    line = {
        "id": 3,
        "prompt": "p",
        "response": f"Because.\n\nAnswer: {prediction}",
        "prediction": prediction,
        "answer": answer,
        "score": score,
        "success": True,
    }
    found, (scored,) = athena_bench.read_scored(write(tmp_path / "X-scored.jsonl", line))
    assert found == task
    assert scored.id.startswith(f"{task}-")
    assert scored.correct is correct
    assert scored.prediction == prediction


def test_questions_and_answers_meet_by_their_prompts(tmp_path: Path) -> None:
    items = [{"prompt": prompt, "answer": "CWE-79"} for prompt in ("one", "two", "one")]
    questions = athena_bench.read_questions(write(tmp_path / "q.jsonl", *items), "rcm")
    # Runs of the small benchmark number their items by the full one.
    answers = [
        {"id": number, "prompt": prompt, "response": "CWE-79", "answer": "CWE-79", "score": 1}
        for number, prompt in ((7, "one"), (40, "two"), (41, "one"))
    ]
    _, scored = athena_bench.read_scored(write(tmp_path / "s.jsonl", *answers))
    assert [question.id for question in questions] == [answer.id for answer in scored]
    assert len({question.id for question in questions}) == 3


def test_a_run_that_failed_has_no_response(tmp_path: Path) -> None:
    line = {"id": 0, "prompt": "p", "response": None, "answer": "CWE-79", "score": 0}
    _, (scored,) = athena_bench.read_scored(write(tmp_path / "s.jsonl", line))
    assert (scored.response, scored.prediction) == ("", None)


def test_damaged_files_are_named_by_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    good = {"id": 0, "prompt": "p", "answer": "CWE-79", "response": "CWE-79", "score": 1}
    file = write(tmp_path / "s.jsonl", good, good)
    with pytest.raises(InputError, match=r"s\.jsonl:2: id 0 is that of line 1"):
        athena_bench.read_scored(file)
    with pytest.raises(InputError, match=r"s\.jsonl:2: id 0 is that of line 1"):
        athena_bench.read_questions(file, "rcm")
    with pytest.raises(InputError, match=r"s\.jsonl:1: field answer: is empty"):
        athena_bench.read_scored(write(file, good | {"answer": " "}), "rcm")
    with pytest.raises(InputError, match=r"s\.jsonl:1: field score"):
        athena_bench.read_scored(write(file, good | {"score": "good"}))
    with pytest.raises(InputError, match=r"s\.jsonl:1: .*response"):
        athena_bench.read_scored(write(file, {"id": 0, "prompt": "p", "answer": "A"}))
    file.write_text(json.dumps(good) + '\n{"id": 1, "pro')
    assert len(athena_bench.read_scored(file)[1]) == 1
    [named] = caplog.messages
    assert re.search(r"s\.jsonl:2: .*truncated; left out", named)
    file.write_text("")
    with pytest.raises(InputError, match="empty"):
        athena_bench.read_scored(file)
    with pytest.raises(InputError, match="fewer than two"):
        athena_bench.read_questions(write(file, {"prompt": "p", "answer": "A"}), "mcq")


@pytest.mark.parametrize("empty", ["NaN", "null", "-Infinity"])
def test_cells_that_pandas_left_empty_count_as_missing(tmp_path: Path, empty: str) -> None:
    options = {f"option_{letter}": f"choice {letter}" for letter in "abcd"}
    rows = [
        json.dumps({"id": n, "prompt": f"ask {n}", "answer": "B", "question": "q", **options})
        for n in (1, 2)
    ]
    file = tmp_path / "mcq.jsonl"
    file.write_text("\n".join(f'{{"url": {empty}, "option_e": {empty}, {row[1:]}' for row in rows))
    questions = athena_bench.read_questions(file, "mcq")
    assert [(q.source, len(q.choices), q.gold) for q in questions] == [("", 4, "B")] * 2


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "Map it.\n\nScenario: The tool reads LSASS.\n\nAnswer with an id."},
        {"prompt": "Map it.", "scenario": "The tool reads LSASS."},
    ],
)
def test_a_technique_item_never_hands_on_the_right_techniques_description(
    tmp_path: Path, row: dict[str, str]
) -> None:
    path = tmp_path / "ate.jsonl"
    told = {"answer": "T1003", "description": "Adversaries may dump credentials."}
    path.write_text(json.dumps(row | told))
    (question,) = athena_bench.read_questions(path, "ate")
    assert question.text == "The tool reads LSASS."
    assert "dump credentials" not in question.text + question.prompt
