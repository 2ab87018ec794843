"""Benchmark files, as far as decontamination needs them: texts and the CVE ids they are about.

Only ``decontaminate`` imports this: benchmark texts go nowhere else in this room.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.rows import CVE_ID
from cybersecqwen.corpus.chat.rows import subject

# Lower-cased names. A question's options and answer are too short to be anybody's alone.
_TEXT_COLUMNS = ("description", "text", "question")
_PROMPT_COLUMNS = ("prompt", "input")
_ID_COLUMNS = ("url", "id", "cve", "cve_id", "source")
_LONGEST_FIELD = 1 << 24


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A benchmark file's items, N of them.

    Attributes:
        name: File name.
        ids: N names for reports: the CVE id where the item is about one, else the line.
        cves: Per item, the CVE ids in its URL or id columns, N tuples.
        texts: N texts.
    """

    name: str
    ids: list[str]
    cves: list[tuple[str, ...]]
    texts: list[str]


def read_benchmark(path: Path, *, answered: bool = False) -> Benchmark:
    """Read a ``.tsv``, ``.csv`` or ``.jsonl`` file with a header or keys that name its texts.

    Args:
        path: The file.
        answered: Whether an item with lettered options gives a second text: its question and the
            right option.

    Raises:
        InputError: It cannot be read, holds no items, or no column of it is a text.
    """
    benchmark = Benchmark(path.name, [], [], [])
    try:
        for number, item in _items(path):
            lower = {str(key).lower(): str(value) for key, value in item.items() if key}
            named = " ".join(lower.get(column, "") for column in _ID_COLUMNS)
            cves = tuple(dict.fromkeys(match[0].upper() for match in CVE_ID.finditer(named)))
            texts = _texts(lower) or _no_text(path, number)
            right = (
                lower.get(f"option {lower.get('gt', '').strip().lower()}", "") if answered else ""
            )
            for text in [*texts, *(f"{text} {right}" for text in texts if right)]:
                benchmark.ids.append(cves[0] if cves else f"line {number}")
                benchmark.cves.append(cves)
                benchmark.texts.append(text)
    except (OSError, UnicodeDecodeError, csv.Error, json.JSONDecodeError) as error:
        raise InputError(f"{path}: cannot read the benchmark: {error}") from error
    if not benchmark.texts:
        raise InputError(f"{path}: the benchmark has no items")
    return benchmark


def _items(path: Path) -> Iterator[tuple[int, Mapping[Any, Any]]]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        if path.suffix in {".jsonl", ".json"}:
            for number, line in enumerate(stream, 1):
                if line.strip():
                    item = json.loads(line)
                    if not isinstance(item, dict):
                        raise InputError(f"{path}:{number}: not a JSON object")
                    yield number, item
            return
        before = csv.field_size_limit(_LONGEST_FIELD)
        try:
            rows = csv.DictReader(stream, delimiter="," if path.suffix == ".csv" else "\t")
            for row in rows:
                yield rows.line_num, row
        finally:
            csv.field_size_limit(before)


def _texts(item: Mapping[str, str]) -> list[str]:
    texts = [item[column] for column in _TEXT_COLUMNS if item.get(column, "").strip()]
    prompts = (item[column] for column in _PROMPT_COLUMNS if item.get(column, "").strip())
    return texts or [subject(prompt) for prompt in prompts]


def _no_text(path: Path, number: int) -> list[str]:
    columns = ", ".join((*_TEXT_COLUMNS, *_PROMPT_COLUMNS))
    raise InputError(f"{path}:{number}: no text: none of the columns {columns} has one")
