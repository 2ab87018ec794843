"""The page in a real Chromium, against a real server."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from browsing import watched_page
from cybersecqwen.core.records import Catalogue, Entry, Section
from cybersecqwen.knowledge.index import build
from cybersecqwen.sources.catalogues.cwe_text import read_cwe_text
from cybersecqwen.sources.catalogues.stix import read_stix
from mitre_files import write_all

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def chromium_path() -> str:
    pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    named = os.environ.get("CYBERSECQWEN_CHROMIUM")
    path = named or next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None:
        pytest.skip("no Chromium found; install it, or name one in CYBERSECQWEN_CHROMIUM")
    return path


@pytest.fixture(scope="module")
def chromium(chromium_path: str) -> Iterator[Browser]:
    """A browser for one file's tests: while it is open, no other test may run an event loop."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path, args=_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def kb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small made-up files, and pages of two weaknesses that the model knows."""
    files = write_all(tmp_path_factory.mktemp("mitre"))
    read = [read_stix(files["attack"]), read_stix(files["capec"]), read_cwe_text(files["cwe"])]
    pages = (
        _page("CWE-787", "Out-of-bounds Write", "Data is written past the end of a buffer."),
        _page("CWE-122", "Heap-based Buffer Overflow", "The buffer lies in the heap."),
        _page("CWE-89", "SQL Injection", "Input becomes part of an SQL command."),
        _page("CWE-20", "Improper Input Validation", "<img src=x onerror=alert(1)> stays text."),
    )
    folder = tmp_path_factory.mktemp("kb") / "kb"
    build([*read, Catalogue("own", "1", "2025-01-01", "0" * 64, pages)], folder)
    return folder


def _page(name: str, title: str, text: str) -> Entry:
    return Entry(
        name,
        title,
        "weakness",
        sections=(
            Section("description", text),
            Section("mitigation", f"Check lengths before {title} can happen."),
        ),
        links=(("attack pattern", "CAPEC-901"),) if name == "CWE-787" else (),
    )


@pytest.fixture(scope="session")
def server(chromium_path: str, kb: Path, start_live: Callable[..., Any]) -> Any:
    """The shipped model and the small knowledge base, without a language model."""
    return start_live(kb=kb)


@pytest.fixture
def page(chromium: Browser, server: Any) -> Iterator[Page]:
    """The page, loaded. After the test: no script error, no breach of the policy, and no request
    to anywhere else."""
    yield from watched_page(chromium, server.url)
