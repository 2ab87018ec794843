"""Names of weaknesses in a text: what they mean is settled, whatever the wording dates from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_WORD = re.compile(r"[a-z0-9]+")


def words_of(text: str) -> str:
    """Return a text's words in lower case, a space before and after each."""
    return f" {' '.join(_WORD.findall(text.lower()))} "


def names_in(words: str, names: Sequence[str]) -> list[str]:
    """Return the names that a text uses, in the singular or with an ``s``, none within another.

    Args:
        words: The text, as ``words_of`` writes it.
        names: Names, as ``words_of`` writes them but for the spaces around, the longest first.
    """
    used = []
    for name in names:
        for written in (f" {name} ", f" {name}s "):
            if written in words:
                used.append(name)
                words = words.replace(written, " # ")
    return used


class SettledNameFinder:
    """Says whether a text uses one of many names.

    Args:
        names: As for ``names_in``, in any order.
    """

    def __init__(self, names: Iterable[str]) -> None:
        known = "|".join(map(re.escape, names))
        self._pattern = re.compile(f" (?:{known})s? ") if known else None

    def __call__(self, text: str) -> bool:
        """Whether a text uses one of them."""
        return self._pattern is not None and bool(self._pattern.search(words_of(text)))
