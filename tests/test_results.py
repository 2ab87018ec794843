"""The figures of ``results/`` stand in the pages, and nowhere else in the README."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path
from types import ModuleType

import pytest

from cybersecqwen.cli.main import build_parser

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("render", ROOT / "scripts/render_results.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pages_have_the_figures_of_results(script: ModuleType) -> None:
    assert script.main(["--check"]) == 0


# Diaries of experiments hold figures that nothing else cites.
_DIARIES = {"docs/ask.md", "docs/lora.md"}


def _pages() -> list[Path]:
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [
        page
        for page in pages
        if "experiments" not in page.parts and page.relative_to(ROOT).as_posix() not in _DIARIES
    ]


@pytest.mark.parametrize("page", _pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_page_has_no_score_of_its_own(page: Path) -> None:
    text = page.read_text("utf-8")
    kept = re.sub(r"<!-- (figure|table|commands) .*?<!-- end -->", "", text, flags=re.DOTALL)
    assert re.findall(r"(?<!below )\b0\.\d{3}\b", kept) == []


def test_every_result_says_how_it_is_made(script: ModuleType) -> None:
    for name, result in script.load_results(ROOT / "results").items():
        assert result["title"], name
        assert result["protocol"], name
        for line in result["commands"]:
            program, *words = shlex.split(line)
            if program == "python":
                assert words[0].startswith(("benchmarks/", "fuzz/", "scripts/")), line
                assert (ROOT / words[0]).is_file(), line
                continue
            assert program == "cybersecqwen", line
            _, unknown = build_parser(words[0]).parse_known_args(words)
            assert unknown == [], line
        for table in result.get("tables", {}).values():
            assert set(table["rows"]) <= result["figures"].keys(), name


def test_rendering(script: ModuleType) -> None:
    results = {
        "r": {
            "figures": {"a": {"system": "A", "value": 0.5}, "b": {"system": "B", "value": 0.25}},
            "tables": {"t": {"columns": {"s": "{system}", "v": "{value:.2f}"}, "rows": ["b", "a"]}},
        }
    }
    results["r"] |= {"protocol": "strict", "commands": ["cybersecqwen info"]}
    page = "x <!-- figure r/a {value:.1f} -->old<!-- end --> y\n<!-- table r/t -->\n<!-- end -->\n"
    done = script.render(page, results)
    assert "-->0.5<!-- end --> y" in done
    assert "| B | 0.25 |\n| A | 0.50 |\n" in done
    assert script.render(done, results) == done
    written = script.render("<!-- commands r -->\n<!-- end -->\n", results)
    assert "Protocol: strict.\n\n    cybersecqwen info\n<!-- end -->" in written
    for wrong in (
        "<!-- commands q -->\n<!-- end -->",
        "<!-- figure r/c {value} --><!-- end -->",
        "<!-- table q/t -->\n<!-- end -->",
    ):
        with pytest.raises(script.WrongMarkError):
            script.render(wrong, results)
