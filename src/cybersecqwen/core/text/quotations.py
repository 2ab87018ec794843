"""What an answer quotes, and whether the text that it is about has it."""

from __future__ import annotations

import re
from collections.abc import Iterator

_QUOTED = re.compile(r'"([^"]{3,})"|“([^”]{3,})”')
_NOT_THERE = " (not in the text)"


def quotations_stand(answer: str, text: str) -> Iterator[bool]:
    """Yield whether the text has it, for each quotation of an answer.

    A quotation is what stands between double quotes, three characters or more. Case, spaces, and
    commas and full stops at its ends do not count.

    Args:
        answer: What quotes.
        text: What it is about.
    """
    shown = _plain(text)
    for found in _QUOTED.finditer(answer):
        yield _plain(found[1] or found[2]) in shown


def with_foreign_marked(answer: str, text: str) -> str:
    """Return an answer that says of each quotation which the text does not have that it is none.

    Args:
        answer: What quotes.
        text: What it is about.
    """
    shown = _plain(text)

    def told(found: re.Match[str]) -> str:
        return found[0] + ("" if _plain(found[1] or found[2]) in shown else _NOT_THERE)

    return _QUOTED.sub(told, answer)


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", text.lower()).strip(" .,")
