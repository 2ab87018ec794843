"""Sentences that name no weakness."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")  # the room's door asks for it, though the sentences do without
pytest.importorskip("accelerate")

from cybersecqwen.training.specialist.neutral_sentences import (
    Source,
    made_sentences,
    mined_sentences,
)


@pytest.mark.parametrize("source", ["advisory", "product"])
def test_every_form_is_filled_and_the_same_seed_draws_the_same(source: Source) -> None:
    made = list(made_sentences(600, 7, source))
    assert made == list(made_sentences(600, 7, source))
    assert made != list(made_sentences(600, 8, source))
    assert len(set(made)) > 100
    for sentence in made:
        assert not set("{}") & set(sentence)
        assert sentence[0].isupper()
        assert sentence.endswith(".")


def test_what_tells_of_a_weakness_is_not_mined() -> None:
    told = "A heap buffer overflow in the parser lets attackers crash the service. "
    neutral = "The product is shipped with all editions of the suite for small shops."
    assert mined_sentences([told + neutral, neutral], 10) == [neutral]
