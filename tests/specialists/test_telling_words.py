from __future__ import annotations

import numpy as np

from cybersecqwen.specialists.telling_words import telling_words


def test_words_are_credited_with_what_their_own_tokens_add() -> None:
    text = "(remote) buffer overflow"
    spans = [(0, 0), (0, 1), (1, 4), (4, 7), (7, 8), (9, 15), (16, 24), (0, 0)]
    added = np.zeros((8, 2), np.float32)
    added[1] = 9  # the bracket stands before the first word, so it is no word's
    added[2:4, 0] = 1
    added[6, 1] = 3
    added[7] = 9  # a special token stands nowhere
    assert telling_words(text, spans, added, columns=2) == [("remote",), ("overflow",)]


def test_tokens_that_were_not_read_add_nothing() -> None:
    spans = [(0, 0), (0, 5), (6, 11)]
    added = np.ones((2, 1), np.float32)
    assert telling_words("first other", spans, added, columns=1) == [("first",)]
