"""The figures of ``results/`` stand in the pages, and nowhere else in the README."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

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


def test_the_readme_has_no_score_of_its_own() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    kept = re.sub(r"<!-- (figure|table) .*?<!-- end -->", "", text, flags=re.DOTALL)
    assert re.findall(r"\b0\.\d{3}\b", kept) == []


def test_every_result_says_how_it_is_made(script: ModuleType) -> None:
    for name, result in script.load_results(ROOT / "results").items():
        assert result["title"], name
        assert result["protocol"], name
        assert all(line.startswith("cybersecqwen ") for line in result["commands"]), name
        for table in result.get("tables", {}).values():
            assert set(table["rows"]) <= result["figures"].keys(), name


def test_rendering(script: ModuleType) -> None:
    results = {
        "r": {
            "figures": {"a": {"system": "A", "value": 0.5}, "b": {"system": "B", "value": 0.25}},
            "tables": {"t": {"columns": {"s": "{system}", "v": "{value:.2f}"}, "rows": ["b", "a"]}},
        }
    }
    page = "x <!-- figure r/a {value:.1f} -->old<!-- end --> y\n<!-- table r/t -->\n<!-- end -->\n"
    done = script.render(page, results)
    assert "-->0.5<!-- end --> y" in done
    assert "| B | 0.25 |\n| A | 0.50 |\n" in done
    assert script.render(done, results) == done
    for wrong in ("<!-- figure r/c {value} --><!-- end -->", "<!-- table q/t -->\n<!-- end -->"):
        with pytest.raises(script.WrongMarkError):
            script.render(wrong, results)
