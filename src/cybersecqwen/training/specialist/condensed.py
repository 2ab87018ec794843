"""Several procedures told in one sentence, as condensed reports tell them."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

_ACTOR = "{actor} "
_CUT = re.compile(
    r",? (?:to|by|using|via|through|which|that|including|such as|in order to|from|with) |[,;.] "
)
_AUXILIARY = re.compile(
    r"^(?:can|has|have|has the ability to|is able to|has been observed|may|will) "
)
_PROPER = re.compile(r"[A-Z]{2}|[A-Z]\w*[A-Z]|\{")
_LAST = (" and ", ", and ", ", as well as ", ", then ", " and also ")
_BETWEEN = ("; ", ", while ", ", and ", " and ")
_LEAST_WORDS = 4  # of a sentence that is cut
_ONE_SUBJECT = 0.7  # share of sentences that name who acts once


def condensed(sentences: Sequence[str], draw: np.random.Generator) -> str:
    """Return one sentence that tells what several do, some of them cut short.

    Args:
        sentences: In their order; whoever acts is ``{actor}``.
        draw: Where chance comes from.
    """
    together = draw.random() < _ONE_SUBJECT
    told: list[str] = []
    for sentence in sentences:
        text = _shortened(sentence.rstrip(". "), draw)
        if told and together and text.startswith(_ACTOR):
            text = text.removeprefix(_ACTOR)
            text = _AUXILIARY.sub("", text) if draw.random() < 0.5 else text
        elif told and text and not _PROPER.match(text):
            text = text[0].lower() + text[1:]
        told.append(text)
    if len(told) == 1 or not together:
        return str(draw.choice(_BETWEEN)).join(told) + "."
    return ", ".join(told[:-1]) + str(draw.choice(_LAST)) + told[-1] + "."


def _shortened(sentence: str, draw: np.random.Generator) -> str:
    """Return half of the sentences up to the end of a clause."""
    if draw.random() < 0.5:
        return sentence
    ends = [
        found.start()
        for found in _CUT.finditer(sentence)
        if len(sentence[: found.start()].split()) >= _LEAST_WORDS
    ]
    return sentence[: int(draw.choice(ends[:2]))] if ends else sentence
