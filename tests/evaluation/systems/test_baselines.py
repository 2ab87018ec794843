from __future__ import annotations

import json
from pathlib import Path

import pytest

from cybersecqwen.core.chat import Message, Sampling
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.records import ChoiceAnswer, Question
from cybersecqwen.evaluation.systems.base import Asked
from cybersecqwen.evaluation.systems.baselines import (
    LabelledTexts,
    MajoritySystem,
    SvmSystem,
    read_training_rows,
)
from cybersecqwen.evaluation.systems.multiple_choice import KnowledgeBaseSystem


def ask(text: str, gold: str = "CWE-79", choices: tuple[str, ...] = ()) -> Asked:
    return Asked(Question("q", "t", text, gold, choices), (Message("user", text),))


def test_majority_says_the_commonest_answer() -> None:
    items = [ask("a", "CWE-89"), ask("b"), ask("c")]
    system = MajoritySystem([item.question for item in items])
    assert [r.text for r in system.answer(items, Sampling())] == ["CWE-79"] * 3
    assert system.identity == {"name": "always CWE-79"}


def test_the_svm_learns_its_rows() -> None:
    texts = ["cross site scripting in a form", "script injected", "sql query built", "union select"]
    system = SvmSystem(LabelledTexts(texts, ["CWE-79", "CWE-79", "CWE-89", "CWE-89"]))
    found = system.answer([ask("scripting in a page"), ask("select from sql")], Sampling())
    assert [response.text for response in found] == ["CWE-79", "CWE-89"]


def test_retrieval_takes_the_best_supported_option() -> None:
    system = KnowledgeBaseSystem(
        lambda question, choices: ChoiceAnswer(1, (0.2, 0.7, 0.1), (None,) * 3), "kb"
    )
    (response,) = system.answer([ask("q", "B", ("x", "y", "z"))], Sampling())
    assert response.text == "B"
    assert response.candidates == (("B", 0.7), ("A", 0.2), ("C", 0.1))
    assert system.open_book


def test_training_rows_of_a_corpus_and_of_chats(tmp_path: Path) -> None:
    rows = [
        {"id": "CVE-1", "text": "one", "labels": {"nvd": ["CWE-79"], "cna": ["CWE-80"]}},
        {"id": "CVE-2", "text": "two", "labels": {"cna": ["CWE-89"]}},
        {"prompt": "Map. CVE Description: three ", "response": "It maps to CWE-20.\n\nCWE-22"},
        {"prompt": "Map. CVE Description: four", "response": "no id"},
    ]
    file = tmp_path / "train.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert read_training_rows(file, "nvd") == LabelledTexts(["one", "three"], ["CWE-79", "CWE-22"])
    assert read_training_rows(file, "cna").labels == ["CWE-80", "CWE-89", "CWE-22"]
    file.write_text(json.dumps(rows[0]) + "\n")
    with pytest.raises(InputError, match="fewer than two different labels"):
        read_training_rows(file, "nvd")
    file.write_text("[]\n")
    with pytest.raises(InputError, match=r"train\.jsonl:1: not a training row"):
        read_training_rows(file, "nvd")
