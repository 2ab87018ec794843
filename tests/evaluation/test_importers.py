from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.records import Question
from cybersecqwen.evaluation.compare import compare_logs
from cybersecqwen.evaluation.importers import import_results
from cybersecqwen.evaluation.log import read_log
from cybersecqwen.evaluation.scoring import score


def reference_file(tmp_path: Path) -> Path:
    def answer(idx: int, raw: str, pred: str | None) -> dict[str, Any]:
        return {
            "idx": idx, "gold": "C", "pred_raw": raw, "pred": pred, "correct": pred == "C",
            "url": f"https://page/{idx // 2}",
        }  # fmt: skip

    cut = "Option A is plausible, but " + "x" * 973  # its end, "\nC", was cut off
    answers = [answer(0, "Why.\nC", "C"), answer(1, cut, "C"), answer(2, "no", None)]
    trials = [
        {"n": 3, "correct": 1, "accuracy_total": 0.3333},
        {"n": 3, "correct": 2, "accuracy_total": 0.6667, "predictions": answers},
    ]
    file = tmp_path / "results.json"
    file.write_text(json.dumps({"model": "v80", "subsets": {"cti-mcq": {"trials": trials}}}))
    return file


def test_reference_results_are_read_twice(tmp_path: Path) -> None:
    (counts,) = import_results(reference_file(tmp_path), "reference", tmp_path / "logs")
    assert (counts.task, counts.model, counts.n) == ("cti-mcq", "CyberSecQwen-4B", 3)
    assert (counts.released_correct, counts.correct) == (2, 1)
    assert (counts.released_parse_failures, counts.parse_failures) == (1, 1)
    assert (counts.changed, counts.cut, counts.changed_uncut) == (1, 1, 0)
    log = read_log(Path(counts.log))
    assert log.header.released["trial_accuracies"] == [0.3333, 0.6667]
    assert log.header.origin == "import:reference"
    assert log.rows[1].cut
    assert log.rows[2].source == "https://page/1"
    assert score(log, "best").correct == [True, True, False]


def test_questions_bring_their_prompts_and_must_be_the_same(tmp_path: Path) -> None:
    file = reference_file(tmp_path)
    questions = [
        Question(f"mcq-{n:04d}", "cti-mcq", f"prompt {n}", "C", ("w", "x", "y", "z"), f"page {n}")
        for n in range(3)
    ]
    (counts,) = import_results(file, "reference", tmp_path, questions={"cti-mcq": questions})
    log = read_log(Path(counts.log))
    assert log.rows[0].prompt[0].content == "prompt 0"
    assert log.header.questions_sha256
    with pytest.raises(InputError, match="mcq-0002 is not among"):
        import_results(file, "reference", tmp_path, questions={"cti-mcq": questions[:2]})
    questions[1] = Question("mcq-0001", "cti-mcq", "p", "A")
    with pytest.raises(InputError, match="mcq-0001: the question expects A"):
        import_results(file, "reference", tmp_path, questions={"cti-mcq": questions})


def test_response_files_give_a_log_for_each_model(tmp_path: Path) -> None:
    file = tmp_path / "cti-rcm-responses.tsv"
    file.write_text("GT\tGPT/4\tOther\nCWE-79\tCWE-79\tCWE-20\nCWE-89\tX\tCWE-89 \n")
    first, second = import_results(file, "cti-bench", tmp_path / "logs")
    assert (first.model, first.correct, first.parse_failures) == ("GPT/4", 1, 1)
    assert (second.model, second.correct, second.parse_failures) == ("Other", 1, 0)
    assert Path(first.log).name == "cti-rcm.GPT-4.jsonl"
    compared = compare_logs([read_log(Path(first.log)), read_log(Path(second.log))])
    assert compared.n == 2


def test_scored_files_are_named_after_their_folder(tmp_path: Path) -> None:
    folder = tmp_path / "Some-Model"
    folder.mkdir()
    lines = [
        {"id": 4, "prompt": "p", "response": "Answer: T1059.001", "prediction": "T1059",
         "answer": "T1059", "score": 1},
        {"id": 9, "prompt": "p", "response": "It is T1105\n\nAnswer: none", "prediction": None,
         "answer": "T1105", "score": 0},
    ]  # fmt: skip
    file = folder / "ATE-scored.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    (counts,) = import_results(file, "athenabench", tmp_path / "logs")
    assert (counts.task, counts.model) == ("athena-ate", "Some-Model")
    assert (counts.released_correct, counts.correct) == (1, 2)
    log = read_log(Path(counts.log))
    assert len({row.id for row in log.rows}) == 2
    assert log.rows[0].prompt[0].content == "p"


def test_an_unknown_origin_lists_the_known(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"'elsewhere'; there are reference"):
        import_results(tmp_path / "x", "elsewhere", tmp_path)


@pytest.mark.data
def test_the_released_results_are_reproduced(data_dir: Path, tmp_path: Path) -> None:
    folder = data_dir / "reference"
    found = {
        (counts.task, counts.model): counts
        for name in ("multi_trial_5x", "baseline_qwen3_it")
        for counts in import_results(folder / f"{name}.json.gz", "reference", tmp_path)
    }
    rcm = found["cti-rcm", "CyberSecQwen-4B"]
    mcq = found["cti-mcq", "CyberSecQwen-4B"]
    assert (rcm.released_correct, rcm.correct, rcm.changed) == (667, 667, 0)
    assert (mcq.released_correct, mcq.correct) == (1477, 1421)
    assert (mcq.cut, mcq.changed_uncut) == (141, 0)
    assert found["cti-rcm", "Qwen3-4B-Instruct-2507"].released_correct == 519
    assert found["cti-mcq", "Qwen3-4B-Instruct-2507"].released_correct == 1183


@pytest.mark.data
def test_the_benchmarks_own_answers_reproduce_its_paper(data_dir: Path, tmp_path: Path) -> None:
    from cybersecqwen.evaluation.report.summary import summarise

    folder = data_dir / "cti-bench" / "responses"
    accuracy = {}
    for task in ("rcm", "mcq", "vsp"):
        for counts in import_results(folder / f"cti-{task}-responses.tsv", "cti-bench", tmp_path):
            accuracy[task, counts.model] = counts
    assert accuracy["rcm", "ChatGPT-4"].accuracy == 0.720
    assert accuracy["mcq", "ChatGPT-4"].accuracy == 0.710
    assert accuracy["rcm", "Gemini-1.5"].accuracy == 0.615
    summary = summarise(score(read_log(Path(accuracy["vsp", "ChatGPT-4"].log))))
    assert summary.mad == pytest.approx(1.31, abs=0.005)
