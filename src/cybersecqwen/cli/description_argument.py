"""What was typed as a description: one, ids, records, or something else in their place."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

import msgspec

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.text.clean import clean
from cybersecqwen.core.text.description import ID, is_placeholder

_FILE_NAME = re.compile(
    r"\S+\.(?:jsonl?|ndjson|csv|tsv|txt|xml|ya?ml|html?|sarif|xlsx|gz|xz|bz2|zst|zip|pdf|docx?|md)",
    re.IGNORECASE,
)
_VULNERABILITY_ID = re.compile(r"CVE-\d{4}-\d{4,}|GHSA(?:-[0-9a-z]{4}){3}", re.IGNORECASE)
_ADDRESS = re.compile(r"(?:https?|ftp)://\S+", re.IGNORECASE)
_LONGEST_PATH = 4096


def pasted_records(text: str) -> bytes | None:
    """Return a text that is JSON as bytes to be read like a file of records, else None."""
    content = text.strip()
    if not content.startswith(("{", "[")):
        return None
    data = content.encode("utf-8", "replace")
    first = data.split(b"\n", 1)[0]
    return data if _is_json(data) or _is_json(first) else None


def ids_alone(words: Sequence[str]) -> bytes | None:
    """Return words that are all CVE or GHSA ids as a list to be read, one a line; else None."""
    ids = [word for text in words for word in re.split(r"[\s,;]+", text) if word]
    if not ids or not all(_VULNERABILITY_ID.fullmatch(word) for word in ids):
        return None
    return "\n".join(ids).encode()


def check_description(
    text: str, verb: str, *, wanted: str = "a vulnerability description", of_id: str = ""
) -> None:
    """Refuse a text that is no description.

    Args:
        text: What was typed.
        verb: The verb that it was typed after, for advice.
        wanted: What to give instead.
        of_id: What to do with an id; empty to give its description or a feed that holds it.

    Raises:
        InputError: It is empty, a placeholder, the name of a file, an id, or an address; with what
            to do instead.
    """
    said = clean(text)
    if not said:
        raise InputError(f"the text is empty: give {wanted}")
    if _is_file(text.strip()):
        raise InputError(f"{said} is a file: {verb} --input {said}")
    if ID.fullmatch(said) or ids_alone([said]):
        advice = of_id or (
            f"give its description, or a feed that holds it ({verb} --input FILE), "
            "or fill the local store (data fetch nvd, data import FILE)"
        )
        several = ids_alone([said]) and not ID.fullmatch(said)
        what = "are ids, not a description" if several else "is an id, not a description"
        raise InputError(f"{said} {what}: {advice}")
    if _ADDRESS.fullmatch(said):
        raise InputError(f"{said} is an address, and nothing is fetched: give {wanted}")
    if _FILE_NAME.fullmatch(said):
        raise InputError(f"{said}: no such file, and no text: give {wanted}")
    if is_placeholder(said):
        raise InputError(f"{said!r} says that there is no description: give {wanted}")


def _is_file(text: str) -> bool:
    # A long text cannot be a name, and the system would say so with an error.
    if len(text) > _LONGEST_PATH or "\n" in text or "\0" in text:
        return False
    # A word such as ``heap`` may be a folder's name too, so only what looks like a path counts.
    try:
        path = Path(text)
        return path.is_file() or (path.is_dir() and (os.sep in text or text.startswith(".")))
    except (OSError, ValueError):
        return False


def _is_json(data: bytes) -> bool:
    try:
        msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True
