from __future__ import annotations

import pytest

pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from cybersecqwen.core.errors import ModelError  # noqa: E402
from cybersecqwen.core.technique_words import TechniqueWords  # noqa: E402
from cybersecqwen.core.term_weights import terms  # noqa: E402
from cybersecqwen.training.specialist.technique_words import fit_words  # noqa: E402

DOCUMENTS = [
    [
        "The implant takes screenshots of the desktop.",
        "It sends screenshots of the desktop every minute.",
    ],
    [],
    [
        "The implant logs keystrokes of the user.",
        "Keystrokes of the user are logged to a file.",
    ],
]


def test_a_text_is_most_like_the_technique_whose_words_it_has() -> None:
    words = TechniqueWords(fit_words(DOCUMENTS), 3)
    found = words.likeness(["Screenshots of the desktop", "keystrokes of the user", "zebra"])
    assert found.shape == (3, 3)
    assert found[0].argmax() == 0
    assert found[1].argmax() == 2
    assert not found[:, 1].any()  # a technique that nothing is known of
    assert not found[2].any()  # words that nobody used
    assert found.max() <= 1 + 1e-3


def test_pairs_of_words_and_names_of_files_are_terms() -> None:
    assert terms("cmd.exe /c").keys() == terms("CMD.EXE /c").keys()
    assert len(terms("run cmd.exe")) == 3


def test_a_file_that_does_not_fit_is_refused() -> None:
    content = fit_words(DOCUMENTS)
    with pytest.raises(ModelError, match=r"words\.npz"):
        TechniqueWords(content, 2)
    with pytest.raises(ModelError, match=r"words\.npz"):
        TechniqueWords(b"nothing", 3)
