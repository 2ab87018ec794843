"""Whether the book is to be opened for a question."""

from __future__ import annotations

from importlib import resources

import pytest
import yaml

from cybersecqwen.knowledge.base import KnowledgeBase

INSIDE = [
    ("Which tactic is Kerberoasting part of?", ["Impact", "Credential Access", "Discovery"]),
    ("Which mitigation does ATT&CK list for T1110?", ["M1032", "M1020", "M1046", "M1055"]),
    ("What is a consequence of CWE-416?", ["Read memory", "Weak passwords", "Phishing"]),
    (
        "Which group has used Cobalt Strike against financial institutions?",
        ["FIN7", "Equation", "Strider", "Poseidon Group"],
    ),
]


@pytest.fixture(scope="module")
def shipped() -> KnowledgeBase:
    return KnowledgeBase.load()


@pytest.mark.parametrize(("question", "choices"), INSIDE)
def test_questions_of_the_pages_are_held(
    shipped: KnowledgeBase, question: str, choices: list[str]
) -> None:
    assert shipped.choose(question, choices).held > 0.5


def test_questions_from_elsewhere_are_not(shipped: KnowledgeBase) -> None:
    file = resources.files("cybersecqwen.evaluation") / "outside_questions.yaml"
    questions = yaml.safe_load(file.read_text("utf-8"))
    assert len(questions) == 105
    held = [shipped.choose(q["question"], q["choices"]).held > 0.5 for q in questions]
    assert sum(held) <= 6


def test_the_glossary_answers_where_the_pages_do_not(shipped: KnowledgeBase) -> None:
    question = "Who publishes the EPSS scores?"
    choices = ["ENISA", "The vendors", "FIRST", "A court"]
    told = shipped.choose(question, choices)
    assert told.best == 2
    assert told.held < 0.5
    assert told.passage is not None
    assert told.passage.id == "GLOSSARY#epss"
    alone = shipped.choose(question, choices, glossary=False)
    assert all(p is None or not p.id.startswith("GLOSSARY") for p in alone.passages)
