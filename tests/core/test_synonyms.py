from __future__ import annotations

from cybersecqwen.core.text.synonyms import replacements


def test_a_word_is_replaced_by_the_others_of_all_its_groups() -> None:
    found = replacements([["use", "employ"], ["use", "apply", "exercise"]])
    assert found["use"] == ("employ", "apply", "exercise")
    assert found["employ"] == ("use",)
    assert found["apply"] == ("use", "exercise")
