from __future__ import annotations

from cybersecqwen.corpus.chat.stated_impacts import stated_impacts

TEXT = (
    "Heap overflow in the read_row() function of image/reader.c in Lamp Viewer before 2.4.1 allows "
    "remote authenticated users to execute arbitrary code or cause a denial of service via a "
    "crafted web page, and then to Execute arbitrary code again."
)


def test_every_impact_is_a_piece_of_the_text_and_stands_once() -> None:
    assert stated_impacts(TEXT) == ("execute arbitrary code", "cause a denial of service")


def test_what_cannot_be_quoted_is_left_out() -> None:
    assert stated_impacts('an attacker may execute "arbitrary" code') == ()
    assert stated_impacts("nothing is said here") == ()
