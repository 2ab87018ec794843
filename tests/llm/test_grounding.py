from __future__ import annotations

import pytest

from cybersecqwen.core.records import Passage
from cybersecqwen.llm.grounding import claims_of, supports

SHOWN = [
    Passage("T9#mitigation-M1", "Guessing", "mitigation", "Lock the lantern after 3 wrong codes."),
    Passage("T9", "Guessing", "description", "Adversaries may guess lantern codes at night."),
]


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        (
            "Lock lanterns after 3 wrong codes [T9#mitigation-M1].",
            "Lock lanterns after 3 wrong codes. [T9#mitigation-M1]",
        ),
        (
            "- Lock lanterns after 3 wrong codes. [t9#MITIGATION-M1]",
            "Lock lanterns after 3 wrong codes. [T9#mitigation-M1]",
        ),
        ("Adversaries guess codes. [T9, T9#mitigation-M1]", None),
        ("Lock lanterns after 5 wrong codes. [T9#mitigation-M1]", "[unsupported]"),
        ("Buy insurance for every lantern. [T9#mitigation-M1]", "[unsupported]"),
        ("Lock lanterns after 3 wrong codes. [T8]", "[unsupported]"),
        ("Adversaries may guess lantern codes.", "Adversaries may guess lantern codes. [T9]"),
        ("Paint them green.", "Paint them green. [unsupported]"),
    ],
)
def test_sentences_are_checked_against_what_they_cite(text: str, rendered: str | None) -> None:
    (claim,) = claims_of(text, SHOWN)
    if rendered is None:
        assert claim.holds
        assert [passage.id for passage in claim.passages] == ["T9", "T9#mitigation-M1"]
    elif rendered == "[unsupported]":
        assert not claim.holds
        assert claim.rendered.endswith("[unsupported]")
    else:
        assert claim.rendered == rendered


def test_several_sentences_keep_their_own_citations() -> None:
    text = "Adversaries guess codes [T9]. Lock it after 3 codes. [T9#mitigation-M1]\n\nThat is it."
    claims = claims_of(text, SHOWN)
    assert [[p.id for p in claim.passages] for claim in claims if claim.holds] == [
        ["T9"],
        ["T9#mitigation-M1"],
    ]


def test_ids_must_be_held_too() -> None:
    assert supports("Adversaries may guess lantern codes.", SHOWN)
    assert not supports("Adversaries (G0001) may guess lantern codes.", SHOWN)
