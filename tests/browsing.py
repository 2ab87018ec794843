"""What the tests of the page share: what they type, and what must never happen."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

HEAP = (
    "A crafted image makes the decoder write past the end of a heap-based buffer (heap buffer "
    "overflow), which may run code."
)
VAGUE = "An unspecified issue in the web interface allows remote attackers to have an impact."

PASSAGES = [
    {"id": "T9100", "title": "Lantern Guessing", "kind": "description", "text": "They guess."},
    {
        "id": "T9100#mitigation-M9001",
        "title": "Lantern Guessing",
        "kind": "mitigation",
        "text": "Lock <b>after</b> failures.",
    },
]
ANSWER = {
    "text": (
        "They guess codes [T9100]. Locking helps [T9100, T9100#mitigation-M9001]. "
        "Moths fly. [unsupported]"
    ),
    "citations": ["T9100", "T9100#mitigation-M9001"],
    "passages": PASSAGES,
    "found": True,
    "unsupported": ["Moths fly.", "They glow."],
    "prediction": None,
    "model": "scripted <i>",
}


class Watched:
    """A page, and everything about it that must not happen."""

    def __init__(self, page: Page, base: str) -> None:
        self.faults: list[str] = []
        self.foreign: list[str] = []
        page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        page.on("dialog", self._dialog)
        page.on("console", self._console)
        page.on("request", lambda request: self._request(request.url, base))
        self.confirm = False

    def _dialog(self, dialog) -> None:
        if dialog.type in {"confirm", "beforeunload"} and self.confirm:
            dialog.accept()
            return
        self.faults.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _console(self, message) -> None:
        # A refused request is logged by the browser itself; a breach of the policy counts.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.faults.append(f"console: {message.text}")

    def _request(self, url: str, base: str) -> None:
        if not url.startswith((base, "blob:", "data:")):
            self.foreign.append(url)


def watched_page(chromium: Browser, base: str, **options) -> Iterator[Page]:
    context = chromium.new_context(base_url=base, **options)
    page = context.new_page()
    page.set_default_timeout(60_000)  # for a machine that others use, too
    watched = Watched(page, base)
    page.watched = watched
    page.goto("/")
    page.wait_for_selector("#about:has-text('model')")
    yield page
    context.close()
    assert watched.faults == []
    assert watched.foreign == []


def map_text(page, text: str) -> None:
    before = page.query_selector("#map-result .answer")
    page.fill("#map-text", text)
    page.press("#map-text", "Control+Enter")
    # The answer to an earlier text stands until the new one is there.
    if before is not None:
        before.wait_for_element_state("hidden")
    page.wait_for_selector("#map-result .answer h3")
    page.wait_for_selector("#map-side .tree")
    page.wait_for_selector("#map-result .unsure h4")


def ask(page, question: str, choices: str = "") -> None:
    page.click("nav a[href='#ask']")
    page.fill("#ask-question", question)
    if choices:
        page.click("#ask-more summary")
        page.fill("#ask-choices", choices)
    page.press("#ask-question", "Control+Enter")


def event(name: str, value: object) -> str:
    return f"event: {name}\ndata: {json.dumps(value)}\n\n"


def answers(page, body: str, status: int = 200) -> None:
    page.route(
        "**/api/ask",
        lambda route: route.fulfill(
            status=status, body=body, headers={"Content-Type": "text/event-stream"}
        ),
    )


def refuse(page, path: str, status: int, message: str = "no", **headers: str) -> None:
    page.route(
        path,
        lambda route: route.fulfill(
            status=status,
            json={"error": {"message": message, "type": "x", "code": "y"}},
            headers={name.replace("_", "-"): value for name, value in headers.items()},
        ),
    )


def try_to_map(page) -> str:
    page.fill("#map-text", HEAP)
    page.press("#map-text", "Control+Enter")
    page.wait_for_selector("#map-result .notice.bad")
    return page.inner_text("#map-result")
