from __future__ import annotations

import importlib
import json
import pkgutil
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from cybersecqwen.core.errors import InputError
from cybersecqwen.evaluation import tasks
from cybersecqwen.evaluation.tasks import REGISTRY, LoadOptions, find_task


def test_every_file_is_registered() -> None:
    modules = {name for _, name, _ in pkgutil.iter_modules(tasks.__path__)} - {"base"}
    found = [importlib.import_module(f"{tasks.__name__}.{name}") for name in modules]
    own = [task for module in found for task in getattr(module, "PUBLISHED", ())]
    own += [module.TASK for module in found if hasattr(module, "TASK")]
    assert {task.name for task in own} == {task.name for task in REGISTRY}
    assert len({task.name for task in REGISTRY}) == len(REGISTRY) == len(own)


def test_published_tasks_are_read_by_their_benchmarks_readers(tmp_path: Path) -> None:
    file = tmp_path / "mcq.tsv"
    file.write_text(
        "URL\tQuestion\tOption A\tOption B\tOption C\tOption D\tPrompt\tGT\n"
        "u\tq1\ta\tb\tc\td\tp1\tB\n"
    )
    (question,) = find_task("cti-mcq").load(file, LoadOptions())
    assert (question.gold, question.choices) == ("B", ("a", "b", "c", "d"))
    assert find_task("cti-rcm").title == "CVE to CWE (CTI-Bench RCM)"
    assert len(find_task("cti-rcm").duplicates) == 10
    assert find_task("athena-ate").kind == "techniques"
    assert not find_task("athena-rcm").duplicates


def test_another_package_brings_a_task(monkeypatch: pytest.MonkeyPatch) -> None:
    points = {"mine": EntryPoint("mine", "math:pi", tasks.ENTRY_POINTS)}
    monkeypatch.setattr(tasks, "entry_points", lambda group: points.values())
    with pytest.raises(InputError, match="math:pi names no evaluation task"):
        find_task("mine")
    with pytest.raises(InputError, match=r"quiz, .*mine$"):
        find_task("others")
    monkeypatch.setattr("math.pi", replace(find_task("quiz"), name="mine"))
    assert find_task("mine").name == "mine"


def test_an_unknown_task_lists_the_known() -> None:
    with pytest.raises(InputError, match=r"no task 'cti-xyz'.*cti-rcm"):
        find_task("cti-xyz")


def test_attribution_says_where_its_answers_are(tmp_path: Path) -> None:
    (tmp_path / "taa.tsv").write_text("URL\tText\tPrompt\nu\tt\tp\n")
    with pytest.raises(InputError, match="--gold"):
        find_task("cti-taa").load(tmp_path / "taa.tsv", LoadOptions())


def test_the_holdout_takes_one_labellers_rows_since_a_date(tmp_path: Path) -> None:
    rows = [
        {
            "id": "CVE-1",
            "text": "a",
            "published": "2023-05-01",
            "labels": {"nvd": ["CWE-79"]},
            "familiar": True,
        },
        {"id": "CVE-2", "text": "b", "published": "2024-02-01", "labels": {"nvd": ["CWE-89", "x"]}},
        {"id": "CVE-3", "text": "c", "published": "2025-02-01", "labels": {"cna": ["CWE-121"]}},
    ]
    file = tmp_path / "validation.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    load = find_task("cwe-holdout").load
    assert [q.id for q in load(file, LoadOptions())] == ["CVE-1", "CVE-2"]
    (recent,) = load(file, LoadOptions(since="2024"))
    assert (recent.gold, recent.text) == ("CWE-89", "b")
    assert [q.id for q in load(file, LoadOptions(without_near_duplicates=True))] == ["CVE-2"]
    assert [q.gold for q in load(file, LoadOptions(labeller="cna"))] == ["CWE-121"]
    with pytest.raises(InputError, match="no row labelled by cna and published since 2026"):
        load(file, LoadOptions(labeller="cna", since="2026"))
    file.write_text(json.dumps(rows[0]) + "\n" + json.dumps(rows[0]) + "\n")
    with pytest.raises(InputError, match=r"jsonl:2: id CVE-1 is that of line 1"):
        load(file, LoadOptions())
    file.write_text('{"id": 3}\n')
    with pytest.raises(InputError, match=r"jsonl:1: not a corpus row"):
        load(file, LoadOptions())
