#!/usr/bin/env python3
"""Writes the figures of ``results/*.json`` into the pages, or checks that they stand there.

A figure is kept in one place. A page has it between two comments, which say where it comes from:

    right for <!-- figure cti-rcm/specialist {value:.3f} -->0.801<!-- end --> of the items

    <!-- table cti-rcm/systems -->
    ...
    <!-- end -->

    <!-- commands cti-rcm -->
    ...
    <!-- end -->

The first names a file of ``results/``, a figure in it and how to write it; the second a file and
one of its tables; the third a file, whose protocol and commands are written. Run without arguments
to write, with ``--check`` to fail where a page differs.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
_FIGURE = re.compile(r"(<!-- figure (\S+?)/(\S+) (.*?) -->)(.*?)(<!-- end -->)", re.DOTALL)
_TABLE = re.compile(r"(<!-- table (\S+?)/(\S+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)

_COMMANDS = re.compile(r"(<!-- commands (\S+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


class WrongMarkError(Exception):
    """A mark in a page names something that is not in ``results/``."""


def load_results(folder: Path) -> dict[str, dict[str, Any]]:
    """Return each file's contents, by its name without ``.json``."""
    return {path.stem: json.loads(path.read_text("utf-8")) for path in folder.glob("*.json")}


def render(text: str, results: dict[str, dict[str, Any]]) -> str:
    """Return a page with its figures and tables as ``results`` has them.

    Raises:
        WrongMarkError: A mark names a file, figure, table or field that is not there.
    """

    def figure(found: re.Match[str]) -> str:
        begin, file, name, form, _, end = found.groups()
        try:
            return f"{begin}{form.format(**results[file]['figures'][name])}{end}"
        except (KeyError, ValueError, IndexError) as error:
            raise WrongMarkError(f"{begin}: {error}") from None

    def table(found: re.Match[str]) -> str:
        begin, file, name, _, end = found.groups()
        try:
            lines = "".join(_table(results[file], results[file]["tables"][name]))
        except (KeyError, ValueError, IndexError) as error:
            raise WrongMarkError(f"{begin.strip()}: {error}") from None
        return f"{begin}{lines}{end}"

    def commands(found: re.Match[str]) -> str:
        begin, file, _, end = found.groups()
        try:
            result = results[file]
        except KeyError as error:
            raise WrongMarkError(f"{begin.strip()}: {error}") from None
        lines = "".join(f"    {line}\n" for line in result["commands"])
        return f"{begin}Protocol: {result['protocol']}.\n\n{lines}{end}"

    return _COMMANDS.sub(commands, _TABLE.sub(table, _FIGURE.sub(figure, text)))


def _table(result: dict[str, Any], table: dict[str, Any]) -> Iterator[str]:
    """Yield a table's lines; an interval, a size or a note that a row lacks is an empty cell."""
    columns: dict[str, str] = table["columns"]
    yield f"| {' | '.join(columns)} |\n"
    yield f"| {' | '.join('---' for _ in columns)} |\n"
    for name in table["rows"]:
        figures = result["figures"][name]
        cells = [_cell(form, figures) for form in columns.values()]
        yield f"| {' | '.join(cells)} |\n"


def _cell(form: str, figures: dict[str, Any]) -> str:
    wanted = re.findall(r"\{(\w+)", form)
    optional = {"low", "high", "size", "note", "ece", "against"}
    if any(field not in figures for field in wanted if field in optional):
        return ""
    cell = form.format(**figures)
    return (
        f"**{cell}**" if figures.get("ours") and cell and wanted[0] in ("system", "value") else cell
    )


def main(argv: list[str] | None = None) -> int:
    """Write or check all pages; 0: as they should be, 1: some differ, 2: a mark is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="change nothing; fail on a difference")
    check = parser.parse_args(argv).check
    results = load_results(ROOT / "results")
    different = []
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        before = page.read_text("utf-8")
        try:
            after = render(before, results)
        except WrongMarkError as error:
            print(f"{page.relative_to(ROOT)}: {error}", file=sys.stderr)
            return 2
        if after != before:
            different.append(page.relative_to(ROOT))
            if not check:
                page.write_text(after, "utf-8")
    for page in different:
        print(f"{page}: {'not as in results/' if check else 'written'}", file=sys.stderr)
    return 1 if check and different else 0


if __name__ == "__main__":
    sys.exit(main())
