"""Ask: a streamed answer whose citations open their passages."""

from __future__ import annotations

import pytest

from browsing import ANSWER, answers, ask, event


def test_a_real_answer_cites_its_passages(page) -> None:
    ask(page, "How does lantern lockout help against lantern guessing?")
    page.wait_for_selector("#ask-result button.mark")
    assert page.locator("#ask-side .passage").count() >= 1
    page.click("#ask-result button.mark >> nth=0")
    cited = page.get_attribute("#ask-result button.mark >> nth=0", "title")
    number = page.inner_text("#ask-result button.mark >> nth=0")
    current = page.locator("#ask-side .passage[aria-current]")
    assert current.get_attribute("data-citation") == cited
    assert current.locator(".mark").inner_text() == number
    assert current.locator(".text").is_visible()
    assert page.evaluate("document.activeElement.dataset.citation") == cited
    page.click("text=Back to the answer")
    assert page.evaluate("document.activeElement.className") == "mark"
    assert "q=How+does+lantern" in page.url


def test_an_address_asks_its_question(page) -> None:
    page.evaluate("location.hash = '#ask?q=What+is+T9100%3F'")
    page.wait_for_selector("#ask-result .answer button.mark")
    assert page.input_value("#ask-question") == "What is T9100?"


def test_what_is_not_there_is_said_so(page) -> None:
    ask(page, "zebra xylophone quokka?")
    page.wait_for_selector("#ask-result .notice:has-text('Not in the knowledge base')")
    assert page.locator("#ask-side .passage").count() == 0


def test_choices_are_weighed(page) -> None:
    ask(
        page,
        "Which mitigation helps against lantern guessing?",
        "A) Brighter moths\nB) Lantern Lockout, locking after failures\nC) None",
    )
    page.wait_for_selector("#ask-result .bars")
    result = page.inner_text("#ask-result")
    assert "B. Lantern Lockout, locking after failures" in result  # the pasted letter is gone
    bars = page.locator("#ask-result meter").evaluate_all("bars => bars.map(bar => bar.value)")
    assert sum(bars) == pytest.approx(1)
    assert bars[1] == max(bars)


def test_sentences_without_support_are_marked(page) -> None:
    answers(page, event("delta", {"text": "They"}) + event("answer", ANSWER))
    ask(page, "How?")
    page.wait_for_selector("#ask-result mark")
    assert page.locator(".written mark").all_inner_texts() == ["Moths fly."]
    cited = page.locator(".written .citation").all_inner_texts()
    assert cited == ["T9100", "T9100", "T9100#mitigation-M9001"]
    result = page.inner_text("#ask-result")
    assert "Do not rely on them" in result
    assert "[unsupported]" not in result
    assert "They glow." not in result
    page.click("text=without support in the passages")
    assert "They glow." in page.inner_text("#ask-result")
    page.click(".citation >> nth=2")
    assert "Lock <b>after</b> failures." in page.inner_text(".passage[aria-current]")
    assert page.locator("main b, main i").count() == 0


def test_a_stream_that_breaks_off_keeps_what_came(page) -> None:
    answers(page, event("delta", {"text": "They guess "}) + event("delta", {"text": "codes"}))
    ask(page, "How?")
    page.wait_for_selector("#ask-result .notice.bad")
    result = page.inner_text("#ask-result")
    assert "They guess codes" in result
    assert "The connection was lost" in result
    answers(page, event("answer", ANSWER))
    page.click("button:has-text('Try again')")
    page.wait_for_selector("#ask-result .citation")


def test_an_error_in_the_stream_is_explained(page) -> None:
    failed = {"error": {"message": "not done in 300 s", "type": "timeout_error", "code": "timeout"}}
    answers(page, event("delta", {"text": "They"}) + event("error", failed))
    ask(page, "How?")
    page.wait_for_selector("#ask-result .notice.bad")
    assert "This took longer than the server allows" in page.inner_text("#ask-result")
    assert "not done in 300 s" in page.inner_text("#ask-result")


def test_writing_can_be_stopped(page) -> None:
    page.route("**/api/ask", lambda route: None)  # never answered
    ask(page, "How?")
    page.wait_for_selector("#ask-stop:visible")
    page.keyboard.press("Escape")
    page.wait_for_selector("#ask-result .notice:has-text('Stopped.')")
    assert not page.is_visible("#ask-stop")
    assert page.get_attribute("#ask-result", "aria-busy") == "false"


def test_an_empty_question_and_a_single_choice_are_refused(page) -> None:
    ask(page, " ")
    assert "There is no question yet" in page.inner_text("#ask-result")
    ask(page, "How?", "only one")
    assert "give two or more" in page.inner_text("#ask-result")


def test_a_follow_up_is_about_what_was_asked_before(page) -> None:
    ask(page, "What is T9100?")
    page.wait_for_selector("#ask-result .answer button.mark")
    ask(page, "and how can it be mitigated?")
    page.wait_for_selector("#ask-result .hint:has-text('Follows')")
    result = page.inner_text("#ask-result")
    assert "three wrong codes" in result
    assert "before=What+is+T9100%3F" in page.url
    page.click("text=Begin anew")
    ask(page, "and how can it be mitigated?")
    page.wait_for_selector("#ask-result .notice:has-text('Not in the knowledge base')")
