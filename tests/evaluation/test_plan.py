from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cybersecqwen.core.errors import InputError, ModelError
from cybersecqwen.evaluation import plan
from cybersecqwen.evaluation.log import read_log
from cybersecqwen.evaluation.plan import RunOptions, prepare, run_baselines
from cybersecqwen.evaluation.runner import run
from cybersecqwen.evaluation.systems.language_model import ChoosingSystem, WritingSystem
from cybersecqwen.evaluation.systems.specialist import SpecialistSystem

MCQ = "URL\tQuestion\tOption A\tOption B\tOption C\tOption D\tPrompt\tGT\n"


@pytest.fixture
def mcq_file(tmp_path: Path) -> Path:
    file = tmp_path / "mcq.tsv"
    file.write_text(MCQ + "u\tq1\ta\tb\tc\td\tp1\tB\nu\tq2\ta\tb\tc\td\tp2\tB\n")
    return file


@pytest.fixture
def script(tmp_path: Path) -> Path:
    file = tmp_path / "mock.jsonl"
    scores = '{"A": -1.0, "B": -0.5, "C": -2.0, "D": -3.0}'
    file.write_text(f'{{"reply": "Answer: B", "scores": {scores}}}\n')
    return file


def test_each_kind_of_model_gets_its_system_and_protocol(
    rcm_file: Path, mcq_file: Path, script: Path, specialist: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "_specialist", lambda spec: specialist)
    embedded = prepare(RunOptions("cti-rcm", rcm_file))
    assert isinstance(embedded.system, SpecialistSystem)
    assert (embedded.protocol.name, len(embedded.seeds)) == ("constrained", 1)
    writing = prepare(RunOptions("cti-mcq", mcq_file, f"mock:{script}"))
    assert isinstance(writing.system, WritingSystem)
    assert (writing.protocol.name, list(writing.seeds)) == ("ref", [42, 43, 44, 45, 46])
    choosing = prepare(RunOptions("cti-mcq", mcq_file, f"mock:{script}", "constrained"))
    assert isinstance(choosing.system, ChoosingSystem)
    assert len(choosing.seeds) == 1


def test_choosing_end_to_end(mcq_file: Path, script: Path, tmp_path: Path) -> None:
    plan = prepare(RunOptions("cti-mcq", mcq_file, f"mock:{script}", "constrained"))
    rows = list(run(plan, tmp_path / "log.jsonl"))
    assert [row.reading for row in rows] == ["B", "B"]
    assert rows[0].confidence == pytest.approx(0.523, abs=0.001)
    assert read_log(tmp_path / "log.jsonl").missing == 0


def test_baselines_are_scored_or_say_what_they_need(
    rcm_file: Path, mcq_file: Path, tmp_path: Path
) -> None:
    options = RunOptions("cti-rcm", rcm_file, "baseline:majority")
    majority, svm = run_baselines(prepare(options), options)
    assert (majority.system, majority.accuracy) == ("always CWE-79", 0.5)
    assert majority.ci95 is not None
    assert (svm.accuracy, svm.needs) == (None, "training rows: --train FILE")
    train = tmp_path / "train.jsonl"
    rows = [("script flaw", "CWE-79"), ("query flaw", "CWE-89"), ("write flaw", "CWE-787")]
    train.write_text(
        "".join(f'{{"text": "{text}", "labels": {{"nvd": ["{cwe}"]}}}}\n' for text, cwe in rows)
    )
    options = RunOptions("cti-rcm", rcm_file, "baseline:svm", train=train)
    plan = prepare(options)
    assert run_baselines(plan, options)[1].accuracy == 1.0
    options = RunOptions("cti-mcq", mcq_file, "baseline:majority")
    assert [result.name for result in run_baselines(prepare(options), options)] == [
        "majority",
        "retrieval",
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task": "cti-none"}, "no task"),
        ({"protocol": "none"}, "no protocol"),
        ({"model": "baseline:none"}, "no baseline 'none'"),
        ({"model": "baseline:svm"}, "baseline:svm needs training rows: --train FILE"),
        ({"model": "baseline:retrieval"}, "answers choice questions only"),
        ({"model": "magic:x"}, "no model SPEC"),
        ({"trials": 0}, "--trials must be at least 1"),
        ({"limit": -3}, "--limit must be at least 1"),
        ({"data": Path("nowhere.tsv")}, r"nowhere\.tsv"),
        ({"base_model": True}, "no form for base models"),
        ({"shortlist_weight": 1.0}, "goes with --shortlist"),
        ({"shortlist": 3}, "a shortlist goes with protocol constrained and CWE ids alone"),
    ],
)
def test_what_cannot_be_run_is_refused(
    rcm_file: Path, changes: dict[str, Any], message: str
) -> None:
    given = {"task": "cti-rcm", "data": rcm_file, "model": "baseline:majority", **changes}
    with pytest.raises(InputError, match=message):
        prepare(RunOptions(**given))


def test_a_constant_can_answer_any_task(tmp_path: Path, script: Path) -> None:
    vector = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
    file = tmp_path / "vsp.tsv"
    file.write_text(f"URL\tDescription\tPrompt\tGT\nu\td\tp\t{vector}\n")
    plan = prepare(RunOptions("cti-vsp", file, "baseline:majority"))
    assert [row.reading for row in run(plan, tmp_path / "log.jsonl")] == [vector]
    with pytest.raises(InputError, match="not cvss answers"):
        prepare(RunOptions("cti-vsp", file, f"mock:{script}", "constrained"))


def test_a_backend_without_probabilities_cannot_choose(rcm_file: Path, tmp_path: Path) -> None:
    (tmp_path / "m.jsonl").write_text('{"reply": "CWE-79"}\n')
    options = RunOptions("cti-rcm", rcm_file, f"mock:{tmp_path / 'm.jsonl'}", "constrained")
    with pytest.raises(ModelError, match="log-probabilities"):
        prepare(options)


def test_a_shortlist_is_reranked_as_map_does(
    rcm_file: Path, script: Path, specialist: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "_specialist", lambda spec: specialist)
    given = RunOptions("cti-rcm", rcm_file, f"mock:{script}", "constrained", shortlist=2)
    system = prepare(given).system
    assert system.identity["shortlist"] == "2 by fake 1.0, exponent 0.25"
    swayed = prepare(replace(given, shortlist_weight=2.0)).system
    assert swayed.identity["shortlist"] == "2 by fake 1.0, exponent 2"
    for changes, message in (
        ({"shortlist_weight": -0.1}, "weight"),
        ({"protocol": "ref"}, "a shortlist goes with"),
        ({"knowledge": Path("kb")}, "kb"),
    ):
        with pytest.raises(InputError, match=message):
            prepare(replace(given, **changes))  # type: ignore[arg-type]
