"""The documentation site: the picture is the contract, and every page is in the menu."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).parents[1]
SVG = "{http://www.w3.org/2000/svg}"


def test_the_picture_shows_the_layers_that_are_enforced() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    layers = next(c for c in settings["tool"]["importlinter"]["contracts"] if c["type"] == "layers")
    enforced = [
        [re.sub(r"[ ()]|cybersecqwen\.", "", room) for room in layer.split("|")]
        for layer in layers["layers"]
    ]
    picture = ElementTree.parse(ROOT / "docs" / "architecture.svg")
    drawn = [[t.text for t in g.iter(f"{SVG}text")] for g in picture.iter(f"{SVG}g")]
    assert [sorted(layer) for layer in enforced] == [sorted(filter(None, layer)) for layer in drawn]


def test_every_page_is_in_the_menu() -> None:
    menu = set(re.findall(r"[\w./-]+\.md", (ROOT / "mkdocs.yml").read_text("utf-8")))
    pages = {p.relative_to(ROOT / "docs").as_posix() for p in (ROOT / "docs").rglob("*.md")}
    assert pages == menu


_PATH = re.compile(r"`((?:[\w.-]+/)+[\w.-]+\.(?:py|ya?ml|js|json|toml|conf|service))`")
_SCRIPT = re.compile(r"(?:pytest|python3?) (?:-\S+ )*((?:tests|benchmarks|fuzz|scripts)/[\w/.-]+)")
# Files that a guide has its reader write.
_TO_WRITE = {"evaluation/tasks/port_quiz.py", "sources/advisories/acme.py"}


def test_files_that_pages_name_are_there() -> None:
    places = [ROOT, ROOT / "src/cybersecqwen", ROOT / "examples"]
    missing = [
        f"{page.name}: {name}"
        for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
        for text in [page.read_text("utf-8")]
        for name in [*_PATH.findall(text), *_SCRIPT.findall(text)]
        if "NAME" not in name
        and not any((place / name).exists() for place in places)
        and name.removeprefix("src/cybersecqwen/") not in _TO_WRITE
    ]
    assert missing == []
