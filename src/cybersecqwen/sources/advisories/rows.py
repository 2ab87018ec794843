"""Rows of JSON: an id, a description and whatever a user put beside them; or a bare description."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from cybersecqwen.core.lenient_json import DECODE_ERRORS, decode_lenient
from cybersecqwen.core.records import ColumnValue, CweLabel, LabelSource, RecordProblem
from cybersecqwen.sources.advisories.advisory_fields import (
    columns_of,
    decode_problem,
    english,
    labels_of,
    text_records,
    vulnerability_ids,
)
from cybersecqwen.sources.advisories.columns import (
    TEXT_COLUMNS,
    Roles,
    advisory_of,
    find_roles,
    missing_text,
)
from cybersecqwen.sources.advisories.formats import Json, JsonObject, Place, ReadOptions, Record

_LABELLERS: tuple[LabelSource, ...] = ("nvd", "cna", "adp")
_MAX_KEYS = 10_000
_PLAIN = frozenset((str, int, float, bool, type(None)))
_IN_A_TEXT = ("en", "eng", "en-US", "text", "value", "data", "content", "#text", "_", "plain")
"""Keys under which a text that is an object holds its words, the best first."""
_IN_AN_ITEM = ("value", "cve", "cve_id", "cveId", "cwe_id", "vulnerability_id", "id")
"""Keys under which an object in a list of ids or words holds it."""


@lru_cache(maxsize=256)
def _roles(keys: tuple[str, ...], options: ReadOptions) -> Roles:
    return find_roles(keys, options)


def is_row(value: JsonObject, options: ReadOptions = ReadOptions()) -> bool:  # noqa: B008 - frozen
    """Whether an object has a key that is known to hold a text, or holds a vulnerability's id."""
    if len(value) > _MAX_KEYS:
        return False
    roles = _roles(tuple(value), options)
    if roles.has_text:
        texts = (roles.text, *roles.more_texts, roles.summary)
        given = (value[roles.names[place]] for place in texts if place is not None)
        return any(not isinstance(text, dict) or _value(text) is not None for text in given)
    if not roles.names_ids:
        return False
    name = value[roles.names[roles.ids[0]]]
    return isinstance(name, str) and bool(vulnerability_ids(name))


def parse_row(content: Json, place: Place, options: ReadOptions) -> Iterable[Record]:
    """Return the advisory of one JSON value, or what is wrong with it.

    Keys are recognised as the columns of a table are. ``labels`` may hold
    ``{"nvd": [...], "cna": [...], "adp": [...]}``. A bare string is a description.
    """
    try:
        value = decode_lenient(bytes(content))
    except DECODE_ERRORS as error:
        return [decode_problem(place, bytes(content), error)]
    if isinstance(value, str):
        return text_records(value, place)
    if not isinstance(value, dict):
        return [RecordProblem(place.where, "", "neither an object nor a text")]
    return [row_of(value, place, options)]


def row_of(row: Mapping[str, Any], place: Place, options: ReadOptions) -> Record:
    """Return the advisory of a decoded row, or what is wrong with it."""
    if len(row) > _MAX_KEYS:
        return RecordProblem(place.where, "", f"the row has {len(row):,} keys")
    roles = _roles(tuple(row), options)
    values = [value if type(value) in _PLAIN else _value(value) for value in row.values()]
    if not roles.has_text and not is_row(row, options):
        name = next((str(values[p]) for p in roles.ids if values[p] is not None), "")
        return RecordProblem(place.where, name, _no_text(row, options))
    return advisory_of(
        values,
        roles,
        place,
        options,
        more_labels=_labels(row.get("labels")),
        columns=columns_of(row),
    )


def _no_text(row: Mapping[str, Any], options: ReadOptions) -> str:
    if options.text_column:
        return missing_text(list(row), options)
    return f"no field {', '.join(TEXT_COLUMNS[:-1])} or {TEXT_COLUMNS[-1]}"


def _value(value: Any) -> ColumnValue:
    """Return a cell: lists of plain values joined, texts in several languages as the English."""
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, dict):
        text = next((value[key] for key in _IN_A_TEXT if key in value), None)
        if text is None and value and all(isinstance(item, list) for item in value.values()):
            return _value([item for some in value.values() for item in some])  # ids by kind
        return text if isinstance(text, str) else None
    return _joined(value) if isinstance(value, list) else None


def _joined(items: list[Any]) -> ColumnValue:
    if items and all(isinstance(item, dict) for item in items):
        key = next((k for k in _IN_AN_ITEM if all(k in item for item in items)), None)
        if key == "value" and any("lang" in item for item in items):
            return english((str(i.get("lang", "")), str(i["value"])) for i in items)
        items = [item[key] for item in items] if key else items
    plain = all(isinstance(item, str | int | float) for item in items)
    return ", ".join(map(str, items)) if plain else None


def _labels(labels: Any) -> Iterator[CweLabel]:
    if not isinstance(labels, dict):
        return
    for whose in _LABELLERS:
        given = labels.get(whose)
        if isinstance(given, list):
            yield from labels_of((str(text) for text in given), whose)
