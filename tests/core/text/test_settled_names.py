from __future__ import annotations

import pytest

from cybersecqwen.core.text.settled_names import SettledNameFinder, names_in, words_of

NAMES = ["stack based buffer overflow", "buffer overflow", "double free"]


@pytest.mark.parametrize(
    ("text", "used"),
    [
        ("A Stack-Based buffer overflow.", ["stack based buffer overflow"]),
        ("Multiple double-frees, and a buffer overflow", ["buffer overflow", "double free"]),
        ("A doubly freed buffer overflowed.", []),
    ],
)
def test_names_are_found_in_any_spelling_none_within_another(text: str, used: list[str]) -> None:
    assert names_in(words_of(text), NAMES) == used
    assert SettledNameFinder(NAMES)(text) is bool(used)


def test_no_names_are_found_nowhere() -> None:
    assert not SettledNameFinder([])("A double free.")
