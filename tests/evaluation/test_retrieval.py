from __future__ import annotations

import json
from pathlib import Path

import pytest

from cybersecqwen.cli.main import main
from cybersecqwen.core.records import Answer, AnswerLine
from cybersecqwen.evaluation.retrieval import Sought, check_answers, page_at, page_recall
from cybersecqwen.evaluation.synthetic_questions import MadeQuestion, plain, reworded, unanswerable
from cybersecqwen.knowledge.base import KnowledgeBase
from cybersecqwen.knowledge.index import build
from cybersecqwen.knowledge.location import shipped_folder
from cybersecqwen.sources.catalogues.cwe_text import read_cwe_text
from cybersecqwen.sources.catalogues.stix import read_stix
from mitre_files import write_all


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("kb")
    files = write_all(made)
    catalogues = [read_stix(files["attack"]), read_stix(files["capec"])]
    build([*catalogues, read_cwe_text(files["cwe"])], made / "kb")
    return made / "kb"


@pytest.fixture(scope="module")
def knowledge(folder: Path) -> KnowledgeBase:
    return KnowledgeBase(folder)


@pytest.mark.parametrize(
    ("url", "page"),
    [
        ("https://attack.mitre.org/techniques/T1548/", "T1548"),
        ("https://attack.mitre.org/techniques/T1548/002/", "T1548.002"),
        ("https://attack.mitre.org/versions/v15/groups/G0016/", "G0016"),
        ("https://cwe.mitre.org/data/definitions/79.html", "CWE-79"),
        ("https://capec.mitre.org/data/definitions/66.html", "CAPEC-66"),
        ("some handbook.txt", ""),
    ],
)
def test_pages_behind_addresses(url: str, page: str) -> None:
    assert page_at(url) == page


def test_recall_by_group(knowledge: KnowledgeBase) -> None:
    found = page_recall(
        knowledge,
        [
            Sought("What is T9100?", "T9100"),
            Sought("Which weakness drains no fields?", "CWE-901"),
            Sought("zebra", "T9100"),
            Sought("anything", "T0000"),
        ],
    )
    assert found.left_out == 1
    assert {name: group.n for name, group in found.groups.items()} == {
        "all": 3,
        "with an id": 1,
        "no id": 2,
        "attack": 2,
        "cwe": 1,
    }
    assert found.groups["with an id"].at[1] == 1
    assert found.groups["no id"].at[10] == 0.5


def test_options_bring_their_page_forward(knowledge: KnowledgeBase) -> None:
    question = "What may adversaries do?"
    spraying = ["try one code against many lanterns so that no lantern locks", "zebras"]
    guessing = ["guess lantern codes, they like Glowworm for it", "zebras"]
    assert knowledge.pages(question, 10, spraying)[0] == "T9100.001"
    assert knowledge.pages(question, 10, guessing)[0] == "T9100"


def test_made_questions_are_repeatable_and_name_no_id(knowledge: KnowledgeBase) -> None:
    questions = reworded(knowledge, 20)
    assert questions == reworded(knowledge, 20)
    assert questions != reworded(knowledge, 20, seed=2)
    assert all(question.page in knowledge.page_ids for question in questions)
    assert not any("T9" in question.text or "CWE-" in question.text for question in questions)


def test_plain_questions_ask_for_parts_that_are_there(knowledge: KnowledgeBase) -> None:
    for question in plain(knowledge, 30):
        kinds = {passage.kind for passage in knowledge.page(question.page)}
        relations = " ".join(passage.text for passage in knowledge.page(question.page))
        assert question.kind in kinds or f"{question.kind}: " in relations


def test_a_false_quotation_is_counted(knowledge: KnowledgeBase) -> None:
    head = knowledge.page("T9100.001")[0]
    line = AnswerLine("It never rains.", (head.id,), quoted=True)
    false = Answer("It never rains. [T9100.001]", (head.id,), (head,), direct=(line,))
    question = MadeQuestion("What is wick spraying?", "T9100.001", "description")
    beyond = [MadeQuestion("Which moon?", "", "elsewhere")]
    found = check_answers(knowledge, lambda _: false, [question], beyond)
    assert (found.sentences, found.held) == (1, 0.0)
    assert found.wrongly_answered == ["Which moon? (elsewhere)"]
    assert found.right_part == 1


def test_answers_of_the_small_knowledge_base_hold(knowledge: KnowledgeBase) -> None:
    found = check_answers(
        knowledge, knowledge.answer, plain(knowledge, 40), unanswerable(knowledge, 8)
    )
    assert found.held == 1
    assert found.right_part >= 0.9


def test_the_commands_report(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["kb", "recall", "--kb", str(folder), "--count", "5", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["groups"]["all"]["n"] == 5
    assert main(["kb", "recall", "--kb", str(folder), "--count", "5"]) == 0
    assert "no id" in capsys.readouterr().out
    assert main(["kb", "check", "--kb", str(folder), "--count", "8"]) == 0
    assert "stand in the passage they cite" in capsys.readouterr().out
    assert main(["kb", "check", "--kb", str(folder), "--count", "1"]) == 2


def test_real_answers_hold() -> None:
    knowledge = KnowledgeBase(shipped_folder())
    found = check_answers(
        knowledge, knowledge.answer, plain(knowledge, 200), unanswerable(knowledge, 40)
    )
    assert found.held >= 0.99
    assert found.right_part >= 0.9
    assert found.refused >= 0.9
