"""The guide's tables of what is read and what is refused are those of the code."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

from cybersecqwen.core.records import Advisory
from cybersecqwen.sources import FORMATS
from cybersecqwen.sources.advisories.formats import ReadOptions
from cybersecqwen.sources.advisories.json_records import JsonReader
from cybersecqwen.sources.advisories.json_refusals import JSON_REFUSALS
from cybersecqwen.sources.advisories.refusals import REFUSALS
from cybersecqwen.sources.advisories.registry import ALL, JSON_FORMATS
from cybersecqwen.sources.io.streams import ByteSource

PAGE = Path(__file__).parents[2] / "docs" / "formats.md"
ROWS = ("jsonl", "JSON rows: objects with a text", "a key `description`, `text` or the like")


def read_table() -> str:
    rows = [(each.name, each.title, each.recognised_by) for each in ALL]
    return "\n".join(f"| `{name}` | {title} | {by} |" for name, title, by in [*rows, ROWS])


def refused_table() -> str:
    refused = [(r.title, r.recognised_by, r.advice) for r in (*REFUSALS, *JSON_REFUSALS)]
    return "\n".join(f"| {title} | {by} | {advice} |" for title, by, advice in refused)


def test_the_tables_are_those_of_the_code() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert read_table() in page
    assert refused_table() in page


def test_every_format_that_may_be_named_is_in_the_table() -> None:
    assert [*(each.name for each in ALL), ROWS[0]] == list(FORMATS)
    assert len(set(FORMATS)) == len(FORMATS)


def test_the_format_of_the_how_to_reads_its_example() -> None:
    page = (PAGE.parent / "how-to" / "add-a-source-format.md").read_text(encoding="utf-8")
    module: dict[str, Any] = {"__name__": "acme"}
    exec(compile(re.findall(r"```python\n(.*?)```", page, re.DOTALL)[0], "acme.py", "exec"), module)
    formats = (module["ACME"], *JSON_FORMATS)
    ticket = {"ticket": "ACME-7", "story": "The form puts the name into a query.", "weakness": "89"}
    document = {"tracker": "acme", "tickets": [ticket]}
    source = ByteSource(io.BufferedReader(io.BytesIO(json.dumps(document).encode())), "t.json")  # type: ignore[arg-type]
    [found] = JsonReader(formats, ReadOptions()).read(source)
    assert isinstance(found, Advisory)
    assert (found.id, found.cwes("other")) == ("ACME-7", ("CWE-89",))
