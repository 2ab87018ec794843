from __future__ import annotations

import pytest

from cybersecqwen.corpus.chat.description_facts import read_facts

TEXT = (
    "Heap overflow in the read_row() function of image/reader.c in Lamp Viewer before 2.4.1 allows "
    "remote authenticated users to execute arbitrary code or cause a denial of service via a "
    "crafted web page. See https://example.org/notes/fix.html for more."
)


def test_every_fact_is_a_piece_of_the_text() -> None:
    facts = read_facts(TEXT)
    assert facts.affected == ("before 2.4.1",)
    assert facts.fixed == ("2.4.1",)
    assert facts.places == ("read_row() function", "image/reader.c")
    assert facts.gains == ("execute arbitrary code", "cause a denial of service")
    assert facts.actors == ("remote authenticated users",)
    assert facts.user == ("via a crafted web page",)


@pytest.mark.parametrize(
    ("text", "affected"),
    [
        ("Lamp through 3.1 spills.", ("through 3.1",)),
        ("Lamp 1.2.3 and earlier spills.", ("1.2.3 and earlier",)),
        (
            "Lamp versions up to, and including, 4.5.6 spill.",
            ("versions up to, and including, 4.5.6",),
        ),
        ("This affects Lamp < 52.1.", ("Lamp < 52.1",)),
        ("Lamp was fixed in 2020 before summer.", ()),
    ],
)
def test_versions(text: str, affected: tuple[str, ...]) -> None:
    assert read_facts(text).affected == affected


def test_what_cannot_be_quoted_is_left_out() -> None:
    assert read_facts('an attacker may execute "arbitrary" code').gains == ()
    assert read_facts("nothing is said here") == read_facts("")
