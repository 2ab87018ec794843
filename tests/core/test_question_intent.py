from __future__ import annotations

import pytest

from cybersecqwen.core.question_intent import is_vulnerability_description


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
