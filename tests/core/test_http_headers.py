"""What a server asks for in a Retry-After header."""

import time
from email.utils import formatdate

import pytest

from cybersecqwen.core.http_headers import retry_after


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("3", 3), (" 7 ", 7), ("0.5", 0.5), ("99999", 99999), ("-4", 0)],
)
def test_seconds(header: str, seconds: float) -> None:
    assert retry_after(header) == seconds


def test_date() -> None:
    assert 28 <= (retry_after(formatdate(time.time() + 30, usegmt=True)) or 0) <= 30


def test_date_in_the_past_asks_for_no_wait() -> None:
    assert retry_after(formatdate(0, usegmt=True)) == 0


@pytest.mark.parametrize("header", [None, "", "soon", "nan", "inf", "Mon, 99 Foo 2026"])
def test_what_says_nothing(header: str | None) -> None:
    assert retry_after(header) is None
