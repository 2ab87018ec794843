"""The page's files, read without a browser."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import cybersecqwen

PAGE = Path(cybersecqwen.__file__).parent / "serving" / "page"


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


def test_the_document_needs_nothing_inline_and_nothing_from_elsewhere() -> None:
    reader = _Reader()
    reader.feed((PAGE / "index.html").read_text("utf-8"))
    assert reader.faults == []
    assert all(re.fullmatch(r"static/[\w.]+", file) for file in reader.files)
    assert all((PAGE / file.removeprefix("static/")).is_file() for file in reader.files)
    modules = {f"static/{path.name}" for path in PAGE.glob("*.js")}
    assert reader.preloaded == modules - {"static/app.js", "static/theme.js"}


def test_no_module_parses_html_or_reaches_elsewhere() -> None:
    for path in PAGE.glob("*.js"):
        text = path.read_text("utf-8")
        found = re.findall(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|\.style\b"
            r"|https?://",
            text,
        )
        assert found == [], path.name
        imported = re.findall(r'from "(.+?)"', text)
        assert all((PAGE / name).is_file() for name in imported), path.name


def test_the_style_loads_nothing() -> None:
    assert not re.search(r"url\(|@import", (PAGE / "style.css").read_text("utf-8"))
