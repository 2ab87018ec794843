from __future__ import annotations

from dataclasses import replace

import pytest

from cybersecqwen.core.records import Passage
from cybersecqwen.core.taxonomy import shipped_taxonomy
from cybersecqwen.corpus.chat.draft import DraftExample
from cybersecqwen.corpus.chat.recipe import Limits
from cybersecqwen.corpus.chat.validate import Verifier, stock_sentences

PASSAGE = Passage("CWE-79#mitigation-2", "Cross-site Scripting", "mitigation", "Encode 3 things.")
VECTOR = "CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H"
GOOD = DraftExample(
    kind="map",
    prompt="What now? CVE Description: stored script in Lamp before 2.4.1",
    response='The text says "stored script"; encode 3 things [CWE-79#mitigation-2].\n\nCWE-79',
    record="CVE-2024-0001",
    passages=(PASSAGE,),
    gold="CWE-79",
    reads="cwe",
)


def _verifier(**limits: object) -> Verifier:
    return Verifier(Limits(**limits), shipped_taxonomy(), 300)


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (GOOD.response, None),
        ("Update before 2.4.1.\n\nCWE-79", None),
        ("Encode it.\n\nCWE-89", "answer"),
        ("As for CWE-80, no.\n\nCWE-79", "ungrounded id"),
        ("See T1059 [CWE-79].\n\nCWE-79", "ungrounded id"),
        ("It scores 9.2.\n\nCWE-79", "ungrounded number"),
        ("Fixed in 2.4.2.\n\nCWE-79", "ungrounded number"),
        ('It says "reflected script".\n\nCWE-79', "ungrounded quotation"),
        ("Encode it [CWE-79#mitigation-3].\n\nCWE-79", "citation"),
        ("", "length"),
        ("word " * 400 + "\n\nCWE-79", "length"),
    ],
)
def test_an_answer_says_only_what_its_evidence_says(response: str, reason: str | None) -> None:
    assert _verifier().rejection_reason(replace(GOOD, response=response)) == reason


def test_a_weakness_that_may_not_be_mapped_to_is_no_answer() -> None:
    category = replace(GOOD, response="CWE-264", gold="CWE-264")
    assert _verifier().rejection_reason(category) == "policy"


def test_letters_are_read_from_the_last_line() -> None:
    letter = replace(GOOD, gold="B", reads="choice", options=4)
    for response, reason in {
        "B": None,
        "Answer: B": None,
        "A": "answer",
        "Because.\n\nB": None,
    }.items():
        assert _verifier().rejection_reason(replace(letter, response=response)) == reason


def test_prompts_do_not_repeat_nor_do_sentences_beyond_their_share() -> None:
    verifier = _verifier(stock=0.01)
    stock = "This is what is always said about it."
    for number in range(3):
        draft = replace(GOOD, prompt=f"{GOOD.prompt} {number}", response=f"{stock}\n\nCWE-79")
        assert verifier.rejection_reason(draft) is None
        verifier.accept(draft)
    assert verifier.rejection_reason(draft) == "repeated prompt"
    assert verifier.rejection_reason(replace(draft, prompt=f"{GOOD.prompt} 4")) == "stock sentence"


def test_sentences_are_compared_without_what_differs_by_record() -> None:
    one, two = (
        f'The text says "{said}" in {number} of the many places [CWE-79].\n\n{cwe}'
        for said, number, cwe in (("this", 7, "CWE-79"), ("that one", 31, "CWE-89"))
    )
    assert stock_sentences(one) == stock_sentences(two)
    assert len(stock_sentences(one)) == 1
