from __future__ import annotations

import pytest

from cybersecqwen.core.question_intent import (
    content_terms,
    detect_intent,
    is_vulnerability_description,
    passage_kinds,
)


@pytest.mark.parametrize(
    ("question", "wish"),
    [
        ("Which tactic does it belong to?", "tactic"),
        ("How do I prevent SQL injection?", "mitigation"),
        ("What should be monitored?", "detection"),
        ("Which CWE does CAPEC-66 target?", "weakness"),
        ("Who uses Mimikatz?", "use"),
        ("What is Mimikatz?", "description"),
        ("Mimikatz", None),
    ],
)
def test_what_is_asked_for(question: str, wish: str | None) -> None:
    found = detect_intent(question)
    assert (found.name if found else None) == wish


def test_words_that_hint_at_kinds() -> None:
    assert passage_kinds("Which mitigation would detect the group?") == [
        "mitigation",
        "detection",
        "procedure",
    ]
    assert passage_kinds("Where?") == []


def test_the_subject_is_what_the_frame_leaves() -> None:
    assert content_terms("How can password spraying be mitigated?") == ["password", "spray"]
    assert content_terms("Which of the following best describes it?") == []


@pytest.mark.parametrize(
    ("text", "describes"),
    [
        (
            "A heap overflow in the parser of Frobnicator 1.2 allows remote code execution.",
            True,
        ),
        ("SQL injection in login.php lets attackers read the users table via the id field.", True),
        ("Which CWE is it when a form puts user input into a shell command, an injection?", True),
        ("What is CVE-2021-44228?", False),
        ("How can an injection of commands by remote attackers be prevented on servers?", False),
        ("CWE-79 lets attackers run scripts in a browser through an injection of markup.", False),
        ("The weather in spring allows people to walk outside for hours without a coat.", False),
    ],
)
def test_descriptions_of_vulnerabilities(text: str, describes: bool) -> None:
    assert is_vulnerability_description(text) is describes
