"""What a knowledge index holds, as its folder says it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from cybersecqwen.core.atomic_folder import recover
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.lenient_json import DECODE_ERRORS

FORMAT = 3
"""Raised whenever the files' layout or the way texts become terms changes."""

MANIFEST = "manifest.json"


class SourceInfo(msgspec.Struct, frozen=True):
    """What one source contributed: its own version and date, its file's hash, its entries."""

    name: str
    version: str
    date: str
    sha256: str
    entries: int
    problems: int


class IndexManifest(msgspec.Struct, frozen=True):
    """What an index holds.

    Attributes:
        format: Version of its files' layout.
        sources: The catalogues it was made from.
        entries: Number of entries, withdrawn ones too.
        passages: Number of passages.
        kinds: Number of passages of each kind; their order numbers the kinds.
        relations: Names of the relations between entries; their order numbers the relations.
    """

    format: int
    sources: tuple[SourceInfo, ...]
    entries: int
    passages: int
    kinds: dict[str, int]
    relations: tuple[str, ...]


def read_manifest(folder: Path) -> IndexManifest:
    """Read what an index holds.

    Raises:
        InputError: The folder is no knowledge index, or one of another format.
    """
    recover(folder)
    path = folder / MANIFEST
    try:
        content = path.read_bytes()
        found = msgspec.json.decode(content, type=_Format).format
        if found != FORMAT:
            raise InputError(f"{folder}: index format {found}, not {FORMAT}: run kb build")
        return msgspec.json.decode(content, type=IndexManifest)
    except (OSError, *DECODE_ERRORS) as error:
        raise InputError(f"{folder}: no knowledge index (kb build makes one): {error}") from error


class _Format(msgspec.Struct):
    format: int
