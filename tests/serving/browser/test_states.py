"""What the page says when something is missing or wrong."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from browsing import HEAP, map_text, refuse, try_to_map, watched_page


def test_a_server_that_is_gone(page) -> None:
    page.route("**/api/map", lambda route: route.abort("connectionrefused"))
    assert "The server does not answer" in try_to_map(page)
    assert page.input_value("#map-text") == HEAP
    page.unroute("**/api/map")
    page.click("button:has-text('Try again')")
    page.wait_for_selector("#map-result .answer")


def test_a_busy_server_says_when_to_come_back(page) -> None:
    refuse(page, "**/api/map", 429, Retry_After="1")
    assert "It asks to try again in 1 s" in try_to_map(page)
    assert page.locator("#map-result button").is_disabled()
    page.unroute("**/api/map")
    page.click("#map-result button:has-text('Try again'):enabled")
    page.wait_for_selector("#map-result .answer")


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (413, "too large for the server"),
        (400, "The server cannot use this text"),
        (500, "The server failed"),
        (503, "The server is not ready"),
        (504, "longer than the server allows"),
    ],
)
def test_each_refusal_is_explained(page, status: int, said: str) -> None:
    refuse(page, "**/api/map", status, "<b>because</b>")
    text = try_to_map(page)
    assert said in text
    assert "<b>because</b>" in text


def test_no_knowledge_base(chromium, start_live, no_kb) -> None:
    server = start_live()
    for page in watched_page(chromium, server.url):
        map_text(page, HEAP)
        assert "No knowledge base on this server" in page.inner_text("#map-side")
        assert "cybersecqwen kb build" in page.inner_text("#map-side")
        assert page.locator("#map-side .tree").is_visible()
        page.click("text=Correct it…")
        page.locator("[role=combobox]").press_sequentially("CWE-121")
        page.wait_for_selector("[role=option]:has-text('CWE-121')")
        page.click("nav a[href='#ask']")
        assert "No knowledge base on this server" in page.inner_text("#ask-note")
        page.fill("#ask-question", "How?")
        page.press("#ask-question", "Control+Enter")
        page.wait_for_selector("#ask-result .notice.bad:has-text('No knowledge base')")


def test_no_language_model(page) -> None:
    page.click("nav a[href='#ask']")
    assert "No language model here" in page.inner_text("#ask-note")
    page.click("#ask-note summary")
    assert "cybersecqwen serve --model" in page.inner_text("#ask-note")


def test_a_token_is_asked_for_and_kept_for_the_tab(chromium, start_live, no_kb) -> None:
    page = chromium.new_page(base_url=start_live(token="a-token-of-enough-length").url)
    page.goto("/")
    page.wait_for_selector("#server-state .notice:has-text('wants a token')")
    page.fill("#server-state input", "a-wrong-one-of-some-length")
    page.click("text=Use it")
    # Asked again: with an empty field.
    expect(page.locator("#server-state input")).to_have_value("")
    page.fill("#server-state input", "a-token-of-enough-length")
    page.click("text=Use it")
    page.wait_for_selector("#about:has-text('model')")
    assert page.inner_text("#server-state") == ""
    map_text(page, HEAP)
    page.close()
