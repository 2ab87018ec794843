"""Records deep in JSON of no known kind, tables written as JSON, and lists that are empty."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from cybersecqwen.sources.advisories.advisory_fields import ids_alone
from cybersecqwen.sources.advisories.columns import find_roles, holds_prose
from cybersecqwen.sources.advisories.formats import ReadOptions

_MAX_DEPTH = 8
_LISTS = frozenset(
    (
        *("vulns", "vulnerabilities", "results", "matches", "advisories", "findings", "records"),
        *("cve_items", "CVE_Items", "cveRecords", "statements"),
    )
)
"""Members that hold the records of a document, in one format or another."""


def nested(
    value: Any,
    is_known: Callable[[Mapping[str, Any]], bool],
    is_row: Callable[[Mapping[str, Any]], bool],
) -> Iterator[Mapping[str, Any]]:
    """Yield the objects in a value that are records or documents, in their order.

    A row with a text counts where it has the id of a vulnerability, or stands under one: deep in
    other data there are texts about anything.

    Args:
        value: Decoded JSON.
        is_known: Whether an object is of a known format.
        is_row: Whether an object has a text.
    """
    stack: list[tuple[str, Any, int]] = [("", value, 0)]
    while stack:
        key, part, depth = stack.pop()
        if isinstance(part, dict):
            if is_known(part) or (is_row(part) and any(map(_is_id, part.values()))):
                yield part
                continue
            if _is_id(key) and is_row(part):
                yield {"id": key, **part}
                continue
            inner = list(part.items())
        elif isinstance(part, list):
            inner = [("", item) for item in part]
        elif _is_id(key) and isinstance(part, str) and holds_prose([[part]]):
            yield {"id": key, "description": part}
            continue
        else:
            continue
        if depth < _MAX_DEPTH:
            kept = ((k, v, depth + 1) for k, v in inner if isinstance(v, dict | list) or _is_id(k))
            stack += reversed(list(kept))


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and bool(ids_alone(value))


def rows_of_table(value: Any, options: ReadOptions) -> list[dict[str, Any]]:
    """Return the rows of a table that is written as JSON by columns; empty where it is none.

    Known are a list of lists of which the first names the columns, ``{"columns", "data"}``, and an
    object of columns, each an object of cells by row, as pandas writes them.
    """
    names: Sequence[Any]
    cells: Sequence[Any]
    if isinstance(value, list) and len(value) > 1:
        names, cells = value[0], value[1:]
    elif not isinstance(value, dict):
        return []
    elif isinstance(value.get("columns"), list) and isinstance(value.get("data"), list):
        names, cells = value["columns"], value["data"]
    else:
        columns = list(value.values())
        if not columns or not all(isinstance(c, dict) and c for c in columns):
            return []
        keys = list(columns[0])
        if any(list(column) != keys for column in columns) or not keys[0].isdigit():
            return []
        names, cells = list(value), [[column[key] for column in columns] for key in keys]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return []
    if not names or not find_roles(names, options).is_usable:
        return []
    return [dict(zip(names, row, strict=False)) for row in cells if isinstance(row, list)]


def empty_list(value: Any) -> str:
    """Return in words which list of records in a value is empty; an empty string where none is."""
    if value in ({}, []):
        return f"an empty {'object' if value == {} else 'list'}"
    stack = [(value, 0)]
    while stack:
        part, depth = stack.pop()
        if isinstance(part, dict):
            for key, inner in part.items():
                if key in _LISTS and not inner and isinstance(inner, list | dict | None):
                    return f"`{key}` is empty"
            inner_parts = list(part.values())
        else:
            inner_parts = part if isinstance(part, list) else []
        if depth < _MAX_DEPTH:
            stack += [(inner, depth + 1) for inner in inner_parts]
    return ""
