from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from cybersecqwen.training.specialist.condensed import condensed  # noqa: E402

SENTENCES = (
    "{actor} can take screenshots, using a plug-in for it.",
    "{actor} has logged keystrokes to a file in the user's folder.",
    "Exfiltration went over DNS.",
)


def test_one_sentence_tells_what_several_do() -> None:
    made = {condensed(SENTENCES, np.random.default_rng(seed)) for seed in range(60)}
    assert len(made) > 20
    for text in made:
        assert text.count(".") == 1
        assert text.endswith(".")
        for word in ("screenshots", "keystrokes", "xfiltration"):
            assert word in text
    assert any(text.count("{actor}") == 1 for text in made)
    assert any("plug-in" not in text for text in made)


def test_a_sentence_alone_keeps_its_subject() -> None:
    assert condensed(SENTENCES[:1], np.random.default_rng(1)).startswith("{actor} can take")
