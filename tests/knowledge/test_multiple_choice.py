from __future__ import annotations

from itertools import permutations

import pytest

from cybersecqwen.core.errors import InputError
from cybersecqwen.knowledge.base import KnowledgeBase
from cybersecqwen.knowledge.multiple_choice import answer_by_retrieval
from cybersecqwen.knowledge.option_features import INPUTS, OPTION_INPUTS, OptionFeaturizer

CHOICES = ["Fill the lantern", "Lock the lantern after three wrong codes", "Sing", "Wash the wick"]
QUESTION = "Which mitigation helps against Lantern Guessing?"


def test_the_supported_option_wins_with_its_passage(knowledge: KnowledgeBase) -> None:
    answer = answer_by_retrieval(knowledge, QUESTION, CHOICES)
    assert answer.best == 1
    assert answer.passage is not None
    assert answer.passage.id == "T9100#mitigation-M9001"
    assert answer.probabilities[1] == max(answer.probabilities) > 0.5
    assert sum(answer.probabilities) == pytest.approx(1.0)


def test_the_order_of_options_does_not_matter(knowledge: KnowledgeBase) -> None:
    by_text = dict(
        zip(CHOICES, answer_by_retrieval(knowledge, QUESTION, CHOICES).probabilities, strict=True)
    )
    for order in permutations(CHOICES):
        answer = answer_by_retrieval(knowledge, QUESTION, order)
        assert answer.probabilities == pytest.approx([by_text[text] for text in order])


def test_what_speaks_of_a_question_and_an_option_bears_most(knowledge: KnowledgeBase) -> None:
    asked = [*CHOICES, "All of the above"]
    found = knowledge.bearing(QUESTION, asked, 3)
    assert found[0].id == "T9100#mitigation-M9001"
    assert len(found) == 3
    for order in permutations(asked, 5):
        assert knowledge.bearing(QUESTION, order, 3) == found
    assert knowledge.bearing("Zebra?", ["zebras", "zebra"], 3) == []


def test_any_number_of_options(knowledge: KnowledgeBase) -> None:
    question = "What is the severity of CAPEC-901?"
    assert answer_by_retrieval(knowledge, question, ["Low", "High"]).best == 1
    assert (
        answer_by_retrieval(knowledge, question, ["Low", "None", "Tiny", "Huge", "High"]).best == 4
    )


def test_a_question_for_the_exception(knowledge: KnowledgeBase) -> None:
    choices = ["Linux", "Windows", "Toaster"]
    answer = answer_by_retrieval(knowledge, "Which is NOT a platform of Lantern Guessing?", choices)
    assert answer.best == 2
    assert answer_by_retrieval(knowledge, "Which is a platform of T9100?", choices).best != 2


def test_no_support_gives_even_odds_and_no_passage(knowledge: KnowledgeBase) -> None:
    answer = answer_by_retrieval(knowledge, "Which zebra?", ["one zebra", "two zebras", "", "???"])
    assert answer.probabilities == pytest.approx([0.25] * 4)
    assert answer.passage is None


def test_options_alike_share_the_odds(knowledge: KnowledgeBase) -> None:
    answer = answer_by_retrieval(knowledge, QUESTION, [CHOICES[1], CHOICES[1]])
    assert answer.probabilities == pytest.approx([0.5, 0.5])


def test_one_option_is_no_choice(knowledge: KnowledgeBase) -> None:
    with pytest.raises(InputError, match="two options"):
        answer_by_retrieval(knowledge, QUESTION, ["A"])


def test_the_reader_gives_odds_for_any_order_and_number_of_options(
    knowledge: KnowledgeBase,
) -> None:
    for size in range(2, 5):
        choices = CHOICES[:size]
        shares = knowledge.choose(QUESTION, choices).probabilities
        assert sum(shares) == pytest.approx(1.0)
        by_text = dict(zip(choices, shares, strict=True))
        for order in permutations(choices):
            answer = knowledge.choose(QUESTION, order)
            assert answer.probabilities == pytest.approx([by_text[c] for c in order], abs=1e-5)
    ten = [*CHOICES, "a", "b", "c", "d", "e", "f"]
    assert len(knowledge.choose(QUESTION, ten).probabilities) == 10


def test_the_reader_takes_the_supported_option_and_names_its_passage(
    knowledge: KnowledgeBase,
) -> None:
    answer = knowledge.choose(QUESTION, CHOICES)
    assert answer.best == 1
    assert answer.passage is not None
    assert answer.passage.id == "T9100#mitigation-M9001"
    nothing = knowledge.choose("Which zebra?", ["one zebra", "two zebras", "", "???"])
    assert nothing.passage is None
    with pytest.raises(InputError, match="two options"):
        knowledge.choose(QUESTION, ["A"])


def test_the_reader_is_told_of_links_between_the_pages_named(knowledge: KnowledgeBase) -> None:
    choices = ["Credential Access", "Moth Swarm", "Lantern Lockout"]
    witness = OptionFeaturizer(knowledge)
    found = witness.measure("Which tactic does Lantern Guessing belong to?", choices).inputs
    assert found.shape == (3, len(INPUTS))
    fits = found[:, OPTION_INPUTS.index("relation fits")].tolist()
    assert fits == pytest.approx([1.0, 0.0, 0.4])
    linked = found[:, OPTION_INPUTS.index("linked to named")].tolist()
    assert linked == [1.0, 0.0, 1.0]
