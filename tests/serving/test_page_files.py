"""The page's files, read without a browser."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import cybersecqwen

PACKAGE = Path(cybersecqwen.__file__).parent
PAGE = PACKAGE / "serving" / "page"
VIEW = PACKAGE / "apps" / "report" / "view"
"""What the page shares with reports; served as ``static/view``."""


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.files: list[str] = []
        self.preloaded: set[str] = set()
        self.faults: list[str] = []
        self._in_script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        for name, value in attrs:
            if name == "style" or name.startswith("on"):
                self.faults.append(f"{tag} {name}")
            if name in {"src", "href"} and value and not value.startswith("#"):
                self.files.append(value)
        if given.get("rel") == "modulepreload":
            self.preloaded.add(str(given["href"]))
        self._in_script = tag in {"script", "style"}

    def handle_endtag(self, tag: str) -> None:
        self._in_script = False

    def handle_data(self, data: str) -> None:
        if self._in_script and data.strip():
            self.faults.append(f"inline: {data[:40]}")


def served(address: str) -> Path:
    """The file behind an address of the page."""
    name = address.removeprefix("static/")
    return VIEW / name.removeprefix("view/") if name.startswith("view/") else PAGE / name


def modules() -> list[Path]:
    return sorted([*PAGE.rglob("*.js"), *VIEW.glob("*.js")])


def imported(path: Path) -> set[Path]:
    """The modules that a module imports."""
    found = set()
    for name in re.findall(r'from "(\.[^"]+)"', path.read_text("utf-8")):
        base = Path("static") / (
            "view" if path.parent == VIEW else path.parent.relative_to(PAGE).as_posix()
        )
        parts: list[str] = []
        for part in (base / name).parts:
            parts = parts[:-1] if part == ".." else [*parts, part]
        found.add(served("/".join(parts)))
    return found


def test_the_document_needs_nothing_inline_and_nothing_from_elsewhere() -> None:
    reader = _Reader()
    reader.feed((PAGE / "index.html").read_text("utf-8"))
    assert reader.faults == []
    assert all(re.fullmatch(r"static(/\w+)?/[\w.]+", file) for file in reader.files)
    assert all(served(file).is_file() for file in reader.files)
    needed: set[Path] = set()
    queue = [PAGE / "app.js"]
    while queue:
        for path in imported(queue.pop()):
            if path not in needed:
                needed.add(path)
                queue.append(path)
    assert {served(file) for file in reader.preloaded} == needed


def test_no_module_parses_html_or_reaches_elsewhere() -> None:
    for path in modules():
        text = path.read_text("utf-8")
        found = re.findall(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|\.style\b",
            text,
        )
        assert found == [], path.name
        # Addresses for people to follow stand in one module, which requests nothing.
        addresses = re.findall(r"https?://\w|fetch\(|XMLHttpRequest|sendBeacon|WebSocket", text)
        allowed = {
            "links.js": {"https://a", "https://c", "https://n", "https://w"},
            "charts.js": {"http://w"},
        }
        known = allowed.get(path.name, {"fetch("} if path.name == "api.js" else set())
        assert set(addresses) <= known, path.name
        assert all(found.is_file() for found in imported(path)), path.name


def test_no_module_is_left_over() -> None:
    used = {path for module in modules() for path in imported(module)}
    entries = {PAGE / "app.js", PAGE / "theme.js", VIEW / "report.js"}
    assert set(modules()) - used == entries


def test_the_styles_load_nothing() -> None:
    for path in (*PAGE.glob("*.css"), *VIEW.glob("*.css")):
        assert not re.search(r"url\(|@import", path.read_text("utf-8")), path.name
