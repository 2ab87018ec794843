"""What reproduce asks, by limit, and which logs are taken as they are."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

from cybersecqwen.apps.evaluation import run_evaluation
from cybersecqwen.apps.general_card import general_options
from cybersecqwen.apps.reproduce_evaluation import (
    discard_older,
    questions_of,
    runs_of,
    state_of,
)
from cybersecqwen.evaluation.general_check import kind_of, load_questions


def test_a_limit_is_of_each_evaluation(tmp_path: Path) -> None:
    benchmarks = [tmp_path / "cti-rcm.tsv", tmp_path / "other.tsv"]
    runs = runs_of(benchmarks, 7, dry_run=False)
    asked = [(run.task, run.protocol, run.limit, run.trials) for run in runs]
    assert asked == [
        ("general", "ref", 7, 1),
        ("cti-rcm", "ref", 7, None),
        ("cti-rcm", "constrained", 7, None),
    ]
    assert {run.max_tokens for run in runs} == {None}
    assert {run.limit for run in runs_of(benchmarks, None, dry_run=True)} == {2}


def test_a_few_neutral_prompts_are_of_all_kinds() -> None:
    kinds = {kind_of(question.id) for question in load_questions()}
    few = questions_of(general_options(2 * len(kinds)))
    assert len(few) == 2 * len(kinds)
    assert len({kind_of(question.id) for question in few}) > len(kinds) / 2
    assert questions_of(general_options()) == load_questions()


def test_logs_of_another_limit_are_told_and_reports_on_them_discarded(tmp_path: Path) -> None:
    log, report = tmp_path / "log.jsonl", tmp_path / "report"
    few, more = (general_options(limit, 8) for limit in (2, 3))
    script = tmp_path / "script.jsonl"
    script.write_text('{"reply": "no"}')
    run_evaluation(dataclasses.replace(few, model=f"mock:{script}", backend={}), log)
    assert state_of(log, few) == "whole"
    report.mkdir()
    (report / "report.md").write_text("two")
    os.utime(report / "report.md", (2e9, 2e9))
    discard_older(report, [log])
    assert report.is_dir()
    os.utime(report / "report.md", (1e9, 1e9))
    discard_older(report, [log])
    assert not report.exists()
    assert state_of(log, more) == "other"
    log.write_bytes(log.read_bytes()[:-20])
    assert state_of(log, few) == "part"
    log.unlink()
    assert state_of(log, few) == "part"
