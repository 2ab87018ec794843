from __future__ import annotations

import pytest

from cybersecqwen.core.text.sentences import sentences


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One here. Two there! Three?", ["One here.", "Two there!", "Three?"]),
        ("Files, e.g. Foo, are read. Then?", ["Files, e.g. Foo, are read.", "Then?"]),
        (
            "Version 1.2 runs cmd.exe first. 64 bits.",
            ["Version 1.2 runs cmd.exe first.", "64 bits."],
        ),
        (
            'He said "stop." Then (He left.) He did.',
            ['He said "stop."', "Then (He left.)", "He did."],
        ),
        ("The U.S. Navy. J. Doe.", ["The U.S. Navy.", "J. Doe."]),
        ("no end", ["no end"]),
        ("", []),
    ],
)
def test_sentences_stand_as_in_the_text(text: str, expected: list[str]) -> None:
    found = sentences(text)
    assert found == expected
    assert all(sentence in text for sentence in found)
