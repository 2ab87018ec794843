"""Records deep in JSON of no known kind, tables written as JSON, and lists that are empty."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import repeat
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

_END = object()


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
    open_: list[Iterator[tuple[str, Any]]] = [iter((("", value),))]
    while open_:
        key, part = next(open_[-1], (None, None))
        if key is None:
            open_.pop()
        elif isinstance(part, dict) and (is_known(part) or _has_id(part, is_row)):
            yield part
        elif isinstance(part, dict) and _is_id(key) and is_row(part):
            yield {"id": key, **part}
        elif isinstance(part, str) and _is_id(key) and holds_prose([[part]]):
            yield {"id": key, "description": part}
        elif isinstance(part, dict | list) and len(open_) <= _MAX_DEPTH:
            inner = part.items() if isinstance(part, dict) else zip(repeat(""), part, strict=False)
            open_.append(iter(inner))


def _has_id(part: Mapping[str, Any], is_row: Callable[[Mapping[str, Any]], bool]) -> bool:
    return is_row(part) and any(map(_is_id, part.values()))


def summed_up(row: Mapping[str, Any]) -> list[str]:
    """Return the members of a row that list records of which it says a few words, as reports do.

    What has an id of its own is a record itself.
    """
    if any(map(_is_id, row.values())):
        return []
    return [key for key, item in row.items() if key in _LISTS and isinstance(item, list) and item]


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
    open_: list[Iterator[Any]] = [iter((value,))]
    while open_:
        part: Any = next(open_[-1], _END)
        if part is _END:
            open_.pop()
            continue
        for key in _LISTS & part.keys() if isinstance(part, dict) else ():
            if not part[key] and isinstance(part[key], list | dict | None):
                return f"`{key}` is empty"
        if isinstance(part, dict | list) and len(open_) <= _MAX_DEPTH:
            open_.append(iter(part.values() if isinstance(part, dict) else part))
    return ""
