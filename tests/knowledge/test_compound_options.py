"""Questions with ``all of the above`` and the like, on the whole of CWE, CAPEC and ATT&CK."""

from __future__ import annotations

from pathlib import Path

import pytest

from cybersecqwen.core.config import read_yaml
from cybersecqwen.knowledge.base import KnowledgeBase

QUESTIONS = read_yaml(Path(__file__).with_name("compound_options.yaml"))
LEAST = 26  # of 32; 28 when they were written


@pytest.fixture(scope="module")
def shipped() -> KnowledgeBase:
    return KnowledgeBase.load()


def test_options_that_speak_of_others_are_chosen_where_they_are_right(
    shipped: KnowledgeBase,
) -> None:
    right = [
        shipped.choose(asked["question"], asked["choices"]).best == asked["right"]
        for asked in QUESTIONS
    ]
    assert sum(right) >= LEAST


def test_what_decides_for_all_of_them_is_the_passage_of_one(shipped: KnowledgeBase) -> None:
    choices = ["Spearphishing Attachment", "Spearphishing Link", "All of the above"]
    answer = shipped.choose("Which of these are sub-techniques of Phishing (T1566)?", choices)
    assert answer.best == 2
    assert answer.passage is not None
    assert answer.passage in answer.passages[:2]
    assert sum(answer.probabilities) == pytest.approx(1)


def test_none_of_the_above_has_no_passage(shipped: KnowledgeBase) -> None:
    choices = ["Screensaver", "Launch Daemon", "Kerberoasting", "None of these"]
    answer = shipped.choose("Which of these is a sub-technique of Process Injection?", choices)
    assert answer.best == 3
    assert answer.passage is None


def test_what_only_the_glossary_knows(shipped: KnowledgeBase) -> None:
    choices = ["Up to 4 % of turnover", "Up to 50 % of turnover", "Prison", "None of the above"]
    answer = shipped.choose("Which fine may an infringement of the GDPR bring?", choices)
    assert answer.best == 0
    assert answer.passage is not None
    assert answer.passage.id == "GLOSSARY#gdpr"


@pytest.mark.parametrize("count", range(2, 7))
def test_two_to_six_options(shipped: KnowledgeBase, count: int) -> None:
    others = ["Impact", "Discovery", "Exfiltration", "Collection", "Reconnaissance"]
    choices = ["Credential Access", *others[: count - 1]]
    answer = shipped.choose("Which tactic is Kerberoasting (T1558.003) part of?", choices)
    assert answer.best == 0
    assert len(answer.probabilities) == count


@pytest.mark.parametrize(
    "asks",
    [
        "Which of these is NOT a tactic of Scheduled Task/Job (T1053)?",
        "All of these are tactics of Scheduled Task/Job (T1053) EXCEPT:",
        "Which of the following isn't a tactic of T1053?",
        "Which tactic does T1053 not belong to?",
    ],
)
def test_a_question_for_the_exception_however_put(shipped: KnowledgeBase, asks: str) -> None:
    choices = ["Execution", "Persistence", "Exfiltration", "Privilege Escalation"]
    assert shipped.choose(asks, choices).best == 2
