"""Questions put in the words that the rules know, and what comes of them."""

from __future__ import annotations

import pytest

from cybersecqwen.core.interfaces import AnswerHelpers
from cybersecqwen.core.passages import page_of
from cybersecqwen.core.records import TechniquePrediction
from cybersecqwen.knowledge.base import KnowledgeBase
from cybersecqwen.knowledge.rephrasing import rephrased


@pytest.mark.parametrize(
    ("question", "read"),
    [
        ("Was ist eine SQL-Injection?", "what is SQL-Injection?"),
        ("¿Qué es CWE-22?", "what is CWE-22?"),
        ("qu'est-ce que le phishing ?", "what is phishing?"),
        ("CWE-787とは何ですか", "what is CWE-787"),
        ("什么是CWE-79？", "what is CWE-79"),
        ("Wie kann ich mich vor Ransomware schützen?", "how to prevent Ransomware?"),
        ("Comment détecter Kerberoasting ?", "how to detect Kerberoasting?"),
        ("welche Gruppen nutzen Mimikatz?", "which groups use Mimikatz?"),
        ("Unterschied zwischen CWE-79 und CWE-80", "difference between CWE-79 and CWE-80"),
        ("ok and how do I avoid it", "and how do I avoid it"),
        (
            "what is the name of a bug where somebody guesses the order number",
            "somebody guesses the order number. Which CWE is it?",
        ),
        (
            "crooks phone our staff and pose as support, what's that called?",
            "crooks phone our staff and pose as support, which technique is it?",
        ),
        (
            "what do you call it when a program writes past a buffer",
            "a program writes past a buffer. Which CWE is it?",
        ),
    ],
)
def test_questions_are_put_in_known_words(question: str, read: str) -> None:
    assert rephrased(question) == read


@pytest.mark.parametrize(
    "question",
    [
        "What is APT28 also called?",
        "which group is called Fancy Bear",
        "what is the number for SQL injection",
        "whats the id of password spraying",
        "good morning",
        "ok",
        "what is CWE-79",
        "i keep hearing about golden tickets, what is that",
    ],
)
def test_other_questions_stay_as_they_are(question: str) -> None:
    assert rephrased(question) == question


@pytest.mark.parametrize(
    ("question", "page", "says"),
    [
        ("which threat actors come from Iran?", "G0069", "19 groups"),
        ("North Korean hacking groups", "G0082", "North Korea"),
        ("groups based in Vietnam", "G0050", "1 group "),
        ("Russian groups that use Mimikatz", "G0034", "Russia"),
        ("which groups attack hospitals", "G0096", "17 groups"),
        ("which group is behind the SolarWinds hack", "C0024", "APT29 (G0016)"),
        ("when was Volt Typhoon first seen", "G1017", "2021"),
        ("what do APT28 and APT29 have in common", "G0016", "29 techniques"),
        ("techniques used by both Emotet and TrickBot", "S0266", "26 techniques"),
        ("how do attackers move from one computer to another", "TA0008", "techniques"),
        ("ways ransomware gangs get in initially", "TA0001", "techniques"),
        ("which CWE ids are about cryptography", "CWE-310", "12 members"),
        ("What weaknesses concern hardware", "CWE-1194", "13 members"),
        ("most dangerous software weaknesses last year", "CWE-1435", "25 members"),
        ("find out whether a scheduled task is malicious", "T1053.005", "detection"),
        ("What's a CNA allowed to do", "GLOSSARY", "may assign CVE ids"),
        (
            "explain the CVSS attack complexity to a manager",
            "GLOSSARY",
            "attacker does not control",
        ),
        ("is a 9.8 always critical", "GLOSSARY", "called critical"),
        ("what is NVD-CWE-noinfo", "GLOSSARY", "too little to tell"),
        ("top 3 techniques for credential access", "TA0006", "Credential Access"),
        ("CWE for prompt injection and how to fix", "CWE-1427", "mitigations"),
        ("What happened to T1086", "T1086", "T1059.001"),
        ("which CWE for gets", "CWE-242", "Dangerous Function"),
    ],
)
def test_plain_words_find_their_pages(
    real_knowledge: KnowledgeBase, question: str, page: str, says: str
) -> None:
    answer = real_knowledge.answer(question)
    assert page in {page_of(citation) for citation in answer.citations}
    assert says in answer.text


@pytest.mark.parametrize(
    "question",
    [
        "which antivirus is best",
        "When was Wizard Spider's leader arrested?",
        "which Atlantian groups are there",
        "are there any Israeli threat actors",
        "yes",
        "no thanks",
    ],
)
def test_what_the_pages_do_not_say_is_refused(real_knowledge: KnowledgeBase, question: str) -> None:
    assert not real_knowledge.answer(question).found


def test_who_gets_in_speaks_of_no_function(real_knowledge: KnowledgeBase) -> None:
    for question in ("what happens after getting in", "who denied access to it"):
        assert not {"CWE-242", "S0354"} & set(real_knowledge.parse(question).subjects)


@pytest.mark.parametrize(
    ("before", "question", "page", "says"),
    [
        (
            "Which CWE is open redirect?",
            "ok and how would a developer avoid it",
            "CWE-601",
            "mitig",
        ),
        ("what is Gamaredon", "no i meant the group", "G0047", "Russian"),
        ("CWE-77 vs CWE-78", "the other one?", "CWE-78", "OS command"),
        ("what is CWE-918", "in plain english please", "CWE-918", "web server"),
        ("which CWE is zip slip", "any real examples", "CWE-22", "examples"),
        ("which groups use PsExec", "any more?", "S0029", "Microsoft"),
    ],
)
def test_follow_ups_lean_on_what_went_before(
    real_knowledge: KnowledgeBase, before: str, question: str, page: str, says: str
) -> None:
    answer = real_knowledge.answer(question, history=[before])
    assert page in {page_of(citation) for citation in answer.citations}
    assert says in answer.text


def test_what_to_do_against_a_deed_is_told_of_its_technique(real_knowledge: KnowledgeBase) -> None:
    heard: list[str] = []

    def predict(text: str) -> TechniquePrediction:
        heard.append(text)
        return TechniquePrediction((("T1539", 0.9),), abstained=False, model="m")

    answer = real_knowledge.answer(
        "hackers took our browser's cookies, how do we stop that?",
        helpers=AnswerHelpers(techniques=predict),
    )
    assert heard == ["hackers took our browser's cookies"]
    assert "T1539" in answer.text
    assert "M1032" in answer.text
