from __future__ import annotations

from itertools import permutations

import pytest

from cybersecqwen.core.errors import InputError
from cybersecqwen.knowledge.choice import answer_choice
from cybersecqwen.knowledge.search import KnowledgeBase

CHOICES = ["Fill the lantern", "Lock the lantern after three wrong codes", "Sing", "Wash the wick"]
QUESTION = "Which mitigation helps against Lantern Guessing?"


def test_the_supported_option_wins_with_its_passage(knowledge: KnowledgeBase) -> None:
    answer = answer_choice(knowledge, QUESTION, CHOICES)
    assert answer.best == 1
    assert answer.passage is not None
    assert answer.passage.id == "T9100#mitigation-M9001"
    assert answer.probabilities[1] == max(answer.probabilities) > 0.5
    assert sum(answer.probabilities) == pytest.approx(1.0)


def test_the_order_of_options_does_not_matter(knowledge: KnowledgeBase) -> None:
    by_text = dict(
        zip(CHOICES, answer_choice(knowledge, QUESTION, CHOICES).probabilities, strict=True)
    )
    for order in permutations(CHOICES):
        answer = answer_choice(knowledge, QUESTION, order)
        assert answer.probabilities == pytest.approx([by_text[text] for text in order])


def test_any_number_of_options(knowledge: KnowledgeBase) -> None:
    question = "What is the severity of CAPEC-901?"
    assert answer_choice(knowledge, question, ["Low", "High"]).best == 1
    assert answer_choice(knowledge, question, ["Low", "None", "Tiny", "Huge", "High"]).best == 4


def test_a_question_for_the_exception(knowledge: KnowledgeBase) -> None:
    choices = ["Linux", "Windows", "Toaster"]
    answer = answer_choice(knowledge, "Which is NOT a platform of Lantern Guessing?", choices)
    assert answer.best == 2
    assert answer_choice(knowledge, "Which is a platform of T9100?", choices).best != 2


def test_no_support_gives_even_odds_and_no_passage(knowledge: KnowledgeBase) -> None:
    answer = answer_choice(knowledge, "Which zebra?", ["one zebra", "two zebras", "", "???"])
    assert answer.probabilities == pytest.approx([0.25] * 4)
    assert answer.passage is None


def test_options_alike_share_the_odds(knowledge: KnowledgeBase) -> None:
    answer = answer_choice(knowledge, QUESTION, [CHOICES[1], CHOICES[1]])
    assert answer.probabilities == pytest.approx([0.5, 0.5])


def test_one_option_is_no_choice(knowledge: KnowledgeBase) -> None:
    with pytest.raises(InputError, match="two options"):
        answer_choice(knowledge, QUESTION, ["A"])
