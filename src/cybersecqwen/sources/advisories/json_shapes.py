"""How JSON lies in a file, by its bytes: one document, one value a line, or neither."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from cybersecqwen.core.lenient_json import DECODE_ERRORS, decode_lenient, nan_as_null
from cybersecqwen.sources.advisories.columns import find_roles
from cybersecqwen.sources.advisories.formats import Json, ReadOptions
from cybersecqwen.sources.io.streams import UnreadableError

LINES_TRIED = 20
_MAY_BEGIN_LINES = (b"{", b"#", b"//")  # records one a line, perhaps under a comment
_JSON = re.compile(rb'\{\s*["}]|\[\s*(?:[\]"]|\{(?!\s*\'))|\[\s*\[\s*[\[{"\d\]]')
_OF_THE_RUN = {
    "config": "protocol_version",
    "progress": "message",
    "SBOM": "go_version",
    "finding": "osv",
}
"""govulncheck's messages, each with a key that it has."""
_BESIDE_A_RECORD = b" \t\r\n\xef\xbb\xbf\x1e,"
"""What may stand round a record on a line: blanks, UTF-8's mark, RFC 7464's separator, a comma."""


def bare(line: bytes) -> bytes:
    """Return a line without what may stand round a record."""
    return line.strip(_BESIDE_A_RECORD)


def looks_like_json(head: bytes) -> bool:
    """Whether a text begins as JSON does: with an object, an array, or a text on a line."""
    start = head.lstrip(_BESIDE_A_RECORD)
    if _JSON.match(start) or (start.startswith(_MAY_BEGIN_LINES) and mostly_lines(head)):
        return True
    first, *others = start.split(b"\n", LINES_TRIED)
    # The last line may be cut off. A table may stand under a quoted headline.
    whole = [line.strip() for line in (first, *others[:-1]) if line.strip()]
    first = first.rstrip()
    if not first.startswith(b'"') or not all(map(_is_json, (first, *whole[1:2]))):
        return False
    # A quoted name may be the header of a table with one column.
    name = str(decode_lenient(first))
    return not (name.lower().startswith("sep=") or find_roles([name], ReadOptions()).has_text)


def tells_of_the_run(value: Mapping[str, Any]) -> bool:
    """Whether a line of a scanner's stream tells of its run or points to a record beside it.

    govulncheck writes ``{"config": ...}``, ``{"progress": ...}`` and ``{"finding": ...}`` among
    ``{"osv": ...}``.
    """
    ((name, held), *others) = value.items() or [("", None)]
    known = _OF_THE_RUN.get(name)
    return not others and known is not None and isinstance(held, dict) and known in held


def begins_with_lines(head: bytes) -> bool:
    """Whether the first line is a JSON value of its own, and not all there is."""
    first, _, rest = bare(head).partition(b"\n")
    if not rest.strip():
        return first.startswith(b'"') and _is_json(first)
    return first.startswith((b"{", b'"')) and _is_json(bare(first))


def mostly_lines(head: bytes) -> bool:
    """Whether JSON objects stand one a line, by the first lines, of which some may be broken."""
    first = [line for line in map(bare, head.split(b"\n", LINES_TRIED)[:LINES_TRIED]) if line]
    whole = sum(line.startswith(b"{") and _is_json(line) for line in first)
    return len(first) > 1 and 2 * whole >= len(first)


def _is_json(text: bytes) -> bool:
    try:
        decode_lenient(text)
    except DECODE_ERRORS:
        return False
    return True


def decode_outline(content: bytes) -> dict[str, msgspec.Raw] | list[msgspec.Raw] | None:
    """Return the members or items of one whole JSON document, undecoded; None where it is none."""
    for repaired in (False, True):
        text = nan_as_null(content) if repaired else content
        try:
            if text.lstrip()[:1] == b"[":
                return msgspec.json.decode(text, type=list[msgspec.Raw])
            return msgspec.json.decode(text, type=dict[str, msgspec.Raw])
        except DECODE_ERRORS:
            continue
    return None


def members_of(content: bytes) -> dict[str, msgspec.Raw]:
    """Return the members of an object, undecoded; none where it is no object."""
    value = decode_outline(content)
    return value if isinstance(value, dict) else {}


def items_of(raw: Json | None) -> Sequence[msgspec.Raw]:
    """Return the items of an array, undecoded; none where it is no array."""
    if raw is None:
        return ()
    try:
        return msgspec.json.decode(raw, type=list[msgspec.Raw])
    except DECODE_ERRORS:
        return ()


def decode_shallow(members: Mapping[str, msgspec.Raw]) -> dict[str, Any]:
    """Return the members decoded, of long arrays only the first items, to tell a format by."""
    shown: dict[str, Any] = {}
    for key, raw in members.items():
        if memoryview(raw)[:1].tobytes() == b"[":
            shown[key] = [decoded(item) for item in items_of(raw)[:LINES_TRIED]]
        else:
            shown[key] = decoded(raw)
    return shown


def decoded(raw: Json) -> Any:
    """Return a value decoded, or None where it is no JSON: that is said when it is read."""
    try:
        return decode_lenient(bytes(raw))
    except DECODE_ERRORS:
        return None


def decoded_whole(content: bytes, name: str) -> Any:
    """Return a document decoded, whose outline alone has been seen to be whole.

    Raises:
        UnreadableError: It is broken further within, or holds very many values.
    """
    try:
        return decode_lenient(content)
    except DECODE_ERRORS as error:
        raise UnreadableError(name, f"JSON that cannot be read: {error}") from None


def is_of_objects(value: Any) -> bool:
    """Whether a value is a list of objects or of lists, by its first."""
    return type(value) is list and bool(value) and type(value[0]) in {dict, list}
