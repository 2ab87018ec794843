"""What is wrong with a recipe, told by its key and with what is allowed there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import inspect

_PLACE = re.compile(r" - at (?P<of_key>`key` in )?`\$(?P<path>\S*)`$")
_STEP = re.compile(r"\.(\w+)|\[[^\]]*\]")
_UNKNOWN = re.compile(r"Object contains unknown field `(.+)`$")
_MISSING = re.compile(r"Object missing required field `(.+)`$")
_CHOICE = re.compile(r"Invalid enum value (.+)$")
_TYPES = {
    "object": "keys and values",
    "array": "a list",
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "null": "nothing",
}


def told_of(error: msgspec.ValidationError, kind: type[msgspec.Struct]) -> str:
    """Return what is wrong in one line: the key, and what may stand there.

    Args:
        error: What msgspec raised.
        kind: Type that was wanted.
    """
    message = str(error)
    place = _PLACE.search(message)
    message, path = (message[: place.start()], place["path"]) if place else (message, "")
    key = path.removeprefix(".")
    types = list(_types_at(kind, path))
    if place and place["of_key"]:
        types = [t for found in types for t in _alternatives(getattr(found, "key_type", None))]
    if unknown := _UNKNOWN.match(message):
        named = f"{key}.{unknown[1]}" if key else unknown[1]
        return f"{named}: no such key; there are {', '.join(_names(types))}"
    if missing := _MISSING.match(message):
        return f"{key}.{missing[1]}: is missing" if key else f"{missing[1]}: is missing"
    if choice := _CHOICE.match(message):
        return f"{key}: {choice[1]} is none of {', '.join(_choices(types))}"
    message = re.sub(r"`(\w+)(?: \| null)?`", lambda named: _TYPES.get(named[1], named[0]), message)
    return f"{key}: {message[0].lower()}{message[1:]}" if key else message


def _types_at(kind: type[msgspec.Struct], path: str) -> Iterator[Any]:
    """Yield the types that may stand at a path, those of a union one by one."""
    types = _alternatives(inspect.type_info(kind))
    for step in _STEP.finditer(path):
        types = [deeper for found in types for deeper in _below(found, step[1])]
    yield from types


def _below(found: Any, name: str | None) -> list[Any]:
    """Return the types of a struct's field, or of what a list or mapping holds."""
    if name is not None:
        fields = getattr(found, "fields", ())
        return [
            t for field in fields if field.encode_name == name for t in _alternatives(field.type)
        ]
    inner = getattr(found, "value_type", None) or getattr(found, "item_type", None)
    return _alternatives(inner) if inner is not None else []


def _alternatives(found: Any) -> list[Any]:
    if isinstance(found, inspect.Metadata):
        return _alternatives(found.type)
    return list(found.types) if isinstance(found, inspect.UnionType) else [found]


def _names(types: list[Any]) -> list[str]:
    return [field.encode_name for found in types for field in getattr(found, "fields", ())]


def _choices(types: list[Any]) -> list[str]:
    return [str(value) for found in types for value in getattr(found, "values", ())]
