"""How long a text is for a language model, without its vocabulary."""

from __future__ import annotations

import re

_PIECE = re.compile(r"[A-Za-z]+|\d|[^\sA-Za-z\d]")
_LETTERS_A_TOKEN = 6


def estimate(text: str) -> int:
    """Return about how many tokens a byte-pair vocabulary of 100,000 pieces and more makes of it.

    A word is one token for every six letters begun, and so is every digit (as in Qwen's
    vocabularies) and every mark.
    """
    return sum(
        -(-len(piece) // _LETTERS_A_TOKEN) if piece[0].isalpha() else 1
        for piece in _PIECE.findall(text)
    )
