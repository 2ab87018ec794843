"""What a description says that an attacker gets, quoted word for word.

How descriptions say it is in ``stated_impacts.yaml``.
"""

from __future__ import annotations

import re
from importlib.resources import files

import yaml

_PHRASES: list[str] = yaml.safe_load(
    files("cybersecqwen.corpus.chat").joinpath("stated_impacts.yaml").read_text("utf-8")
)
_IMPACT = re.compile("|".join(rf"(?<![\w-])(?:{phrase})" for phrase in _PHRASES), re.IGNORECASE)


def stated_impacts(text: str) -> tuple[str, ...]:
    """Return a description's distinct statements of impact, in its order.

    Each can be quoted: it stands on one line and holds no quotation mark.
    """
    pieces: dict[str, str] = {}
    for match in _IMPACT.finditer(text):
        piece = match[0].strip(" ,.;")
        if piece and '"' not in piece and "\n" not in piece:
            pieces.setdefault(piece.lower(), piece)
    return tuple(pieces.values())
