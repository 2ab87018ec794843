from __future__ import annotations

from cybersecqwen.corpus.chat.keyphrases import KeyphraseModel, stem, telling_words, vocabulary

TELLING = telling_words(
    {
        "CWE-1": "oil injection into a form field",
        "CWE-2": "wick race between threads",
        **{f"CWE-{n}": f"other thing number {n}" for n in range(3, 20)},
    }
)


def _learnt() -> KeyphraseModel:
    evidence = KeyphraseModel({"oil", "injection", "wick", "race", "lamp", "maker"}, TELLING)
    oil = [(f"Lampworks {n} has an oil injection, says the lamp maker", "CWE-1") for n in range(30)]
    wick = [(f"Lampworks {n} has a wick race", "CWE-2") for n in range(30)]
    others = [(f"Lampworks {n} has something else", f"CWE-{3 + n % 15}") for n in range(90)]
    evidence.learn(oil + wick + others)
    return evidence


def test_words_of_the_weakness_are_found_where_they_stand() -> None:
    text = "In Torch 2 an Oil-Injection was seen"
    found = _learnt().find(text, "CWE-1")
    assert [finding.quote for finding in found] == ["Oil-Injection"]
    assert text[found[0].start :].startswith("Oil-Injection")


def test_a_vendors_habit_is_no_evidence_however_often_it_goes_with_a_label() -> None:
    assert _learnt().find("Torch 3 fails, says the lamp maker", "CWE-1") == ()


def test_words_of_another_weakness_are_no_evidence_for_this_one() -> None:
    evidence = _learnt()
    assert evidence.points_to("a wick race", "CWE-2") > 0
    assert evidence.points_to("a wick race", "CWE-1") == 0
    assert evidence.find("a wick race", "CWE-99") == ()


def test_vocabulary_keeps_words_of_several_texts() -> None:
    assert vocabulary(["oil spills", "oil burns", "an oil lamp 2"]) == {"oil"}


def test_stems_meet() -> None:
    assert stem("reads") == stem("read")
    assert stem("injected") == stem("inject")
