"""The commonest question of all, on the shipped knowledge base with the shipped specialist."""

from __future__ import annotations

import pytest

from cybersecqwen.apps.ask import answer_fields, open_answerer
from cybersecqwen.core.passages import page_of
from cybersecqwen.llm.answering import Answerer


@pytest.fixture(scope="module")
def answerer() -> Answerer:
    return open_answerer()


@pytest.mark.parametrize(
    ("question", "pages"),
    [
        ("Which CWE is improper certificate validation?", {"CWE-295"}),
        ("Which CWE should I use for SSRF?", {"CWE-918"}),
        ("which CWE for missing auth on API endpoint", {"CWE-306", "CWE-862"}),
        ("CWE for hardcoded password in firmware", {"CWE-798", "CWE-259"}),
        pytest.param(
            "The admin API does not check the session before deleting a user. Which CWE?",
            {"CWE-306", "CWE-862", "CWE-287"},
            marks=pytest.mark.xfail(
                reason="specialist 3 guesses session fixation, at 0.20", strict=True
            ),
        ),
    ],
)
def test_which_cwe(answerer: Answerer, question: str, pages: set[str]) -> None:
    answer = answerer.ask(question)
    assert answer.found
    assert page_of(answer.direct[0].citations[0]) in pages


def test_an_answer_as_json_has_its_parts(answerer: Answerer) -> None:
    fields = answer_fields(answerer.ask("is CWE-20 ok to map to"), "none")
    assert fields["intent"] == "mapping usage"
    assert fields["subjects"] == ["CWE-20"]
    assert "Discouraged" in fields["direct"][0]["text"]
    assert fields["direct"][0]["citations"] == ("CWE-20#mapping-1",)
    assert {section["heading"] for section in fields["sections"]} >= {"Advice", "Instead"}
    nothing = answer_fields(answerer.ask("who won the world cup"), "none")
    assert not nothing["found"]
    assert nothing["citations"] == []
