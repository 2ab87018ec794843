"""Groups of words that can stand for each other, turned into what can replace each of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def replacements(groups: Iterable[Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Return, for each word, the other words of all its groups, in their order."""
    found: dict[str, tuple[str, ...]] = {}
    for group in groups:
        for word in group:
            others = tuple(other for other in group if other != word)
            found[word] = found.get(word, ()) + others
    return found
