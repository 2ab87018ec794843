"""Questions on CVSS: vectors, values of metrics, scores, and its own words."""

from __future__ import annotations

import pytest

from cybersecqwen.knowledge.base import KnowledgeBase
from cybersecqwen.knowledge.concepts import concepts, glossary_passage


@pytest.mark.parametrize(
    ("question", "citation", "says"),
    [
        ("what does AV:A mean", "cvss-attack-vector", "Adjacent. Only from the same"),
        ("explain PR:L in cvss", "cvss-privileges-required", "an ordinary user"),
        ("UI:P?", "cvss-user-interaction", "Passive"),
        ("score AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", "cvss-severity", "6.1, medium"),
        (
            "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N",
            "cvss-severity",
            "9.3, critical",
        ),
        (
            "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/E:P/RL:O",
            "cvss-severity",
            "9.8, critical. E, RL of the vector are not counted",
        ),
        ("is 7.2 high or critical", "cvss-severity", "7.2 is called high"),
        ("what does a cvss score of 4.0 mean", "cvss-severity", "4.0 is called medium"),
        ("which cvss scores are critical", "cvss-severity", "9.0 to 10.0 critical"),
        ("what is scope in CVSS", "cvss-scope", "security authority"),
        ("what is AC in CVSS v3.1", "cvss-attack-complexity", "does not control"),
        ("how is a CVSS score computed", "cvss-computation", "exploitability"),
        ("difference between CVSS 3.1 and 4.0", "cvss-3", "adds Attack Requirements"),
        ("difference between base and temporal score", "cvss-base", "changes over time"),
    ],
)
def test_cvss_is_explained(
    knowledge: KnowledgeBase, question: str, citation: str, says: str
) -> None:
    answer = knowledge.answer(question)
    assert answer.found
    assert answer.citations[0] == f"GLOSSARY#{citation}"
    assert says in answer.text


@pytest.mark.parametrize(
    ("question", "says"),
    [
        ("CVSS:3.1/AV:N/AC:L/PR:N", "without a value of UI, S, C, I, A"),
        ("AV:N/AC:L/Au:N/C:P/I:P/A:P", "no base vector of CVSS 3.1 or 4.0"),
        ("CVSS vector for a leak over the network", "`assess` estimates"),
        ("is TLS 1.2 low security", "Not in the knowledge base."),
        ("AV:Z", "Not in the knowledge base."),
    ],
)
def test_what_cvss_does_not_say(knowledge: KnowledgeBase, question: str, says: str) -> None:
    answer = knowledge.answer(question)
    assert not answer.found
    assert says in answer.text


def test_another_word_may_be_asked_for_in_passing(knowledge: KnowledgeBase) -> None:
    for question in ("and EPSS?", "what about EPSS"):
        answer = knowledge.answer(question, history=["what is CVSS"])
        assert answer.citations[:1] == ("GLOSSARY#epss",)


def test_every_metric_and_value_has_its_sentence() -> None:
    from cybersecqwen.core.cvss_metrics import VALUE_NAMES, VALUE_NAMES_V4
    from cybersecqwen.knowledge.answers.cvss import about

    for values in (VALUE_NAMES, VALUE_NAMES_V4):
        for metric, letters in values.items():
            for letter, word in letters.items():
                draft = about(f"what is {metric}:{letter}")
                assert draft is not None
                [line] = draft.direct
                assert f": {word}." in line.text
                assert line.text.count(".") > 1
                assert glossary_passage(line.citations[0]) is not None
    assert all(
        concept.source.startswith("https://www.first.org/")
        for concept in concepts().values()
        if concept.id.startswith("cvss")
    )
