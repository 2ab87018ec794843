"""Nothing serious or critical in any state, in both themes; nothing too wide for a phone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from browsing import (
    ANSWER,
    HEAP,
    VAGUE,
    answers,
    ask,
    event,
    map_text,
    refuse,
    try_to_map,
    watched_page,
)


@pytest.fixture(params=["light", "dark"])
def page(request, chromium, server) -> Iterator:
    yield from watched_page(
        chromium,
        server.url,
        color_scheme=request.param,
        viewport={"width": 390, "height": 844} if request.param == "dark" else None,
    )


def check(page) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-core missing")
    found = axe.Axe().run(page).response["violations"]
    grave = [
        (finding["id"], [node["html"][:200] for node in finding["nodes"]])
        for finding in found
        if finding["impact"] in {"serious", "critical"}
    ]
    assert grave == []
    width, most = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert width <= most


def mapped(page) -> None:
    map_text(page, HEAP)
    page.wait_for_selector("#map-side .attacks h4")
    for details in page.locator("#map-side details").all():
        details.evaluate("node => { node.open = true; }")


def unsure(page) -> None:
    map_text(page, VAGUE)
    page.click("text=Correct it…")
    page.wait_for_selector("[role=option]")
    page.keyboard.press("ArrowDown")


def broken(page) -> None:
    refuse(page, "**/api/map", 429, Retry_After="30")
    try_to_map(page)


def asked(page) -> None:
    answers(page, event("answer", ANSWER))
    ask(page, "How?")
    page.wait_for_selector("#ask-result .citation")
    page.click(".citation >> nth=1")
    page.click("#ask-note summary")


def looked_up(page) -> None:
    ask(page, "How does lantern lockout help against lantern guessing?")
    page.wait_for_selector("#ask-result button.mark")
    page.click("#ask-result button.mark >> nth=0")


def chosen(page) -> None:
    ask(
        page, "Which mitigation helps against lantern guessing?", "Brighter moths\nLocking lanterns"
    )
    page.wait_for_selector("#ask-result .bars")


def not_found(page) -> None:
    ask(page, "zebra xylophone quokka?")
    page.wait_for_selector("#ask-result .notice")


def batched(page) -> None:
    texts = enumerate((HEAP, VAGUE))
    rows = [json.dumps({"id": f"CVE-2024-{n}", "description": t, "title": "x"}) for n, t in texts]
    page.click("nav a[href='#batch']")
    content = "\n".join([*rows, "{broken"]).encode()
    page.set_input_files("#batch-file", {"name": "a.jsonl", "mimeType": "", "buffer": content})
    page.click("#batch-start")
    page.wait_for_selector("#batch-result .state:has-text('Done')")
    page.click("#batch-result .opener >> nth=0")
    page.wait_for_selector("#batch-result .opened")
    page.click("#batch-result .tally >> nth=0")


def corrected(page) -> None:
    map_text(page, HEAP)
    page.click("text=It is right")
    page.wait_for_selector(".notice.good")
    check(page)
    page.click("nav a[href='#corrections']")


STATES: list[Callable] = [
    mapped,
    unsure,
    broken,
    asked,
    looked_up,
    chosen,
    not_found,
    batched,
    corrected,
]


@pytest.mark.parametrize("reach", STATES, ids=lambda reach: reach.__name__)
def test_no_serious_finding(page, reach: Callable) -> None:
    reach(page)
    check(page)


def test_no_serious_finding_before_anything_is_done(page) -> None:
    for view in ("map", "ask", "batch", "corrections"):
        page.click(f"nav a[href='#{view}']")
        check(page)
