"""Load the folder of a specialist of any kind, and refuse one that is not whole."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

from cybersecqwen.core.atomic_folder import recover
from cybersecqwen.core.errors import InputError, ModelError
from cybersecqwen.core.lenient_json import DECODE_ERRORS
from cybersecqwen.core.model_folder import CONFIG_FILE, FORMAT_VERSION, GRAPH_FILE, TOKENIZER_FILE
from cybersecqwen.specialists.model import shipped_folder

ConfigT = TypeVar("ConfigT")


@dataclass(frozen=True, slots=True)
class SpecialistFiles(Generic[ConfigT]):
    """A specialist's folder whose files are whole.

    Attributes:
        path: Where it is.
        config: Its configuration.
        graph: The ONNX file.
        tokenizer: The tokenizer's file.
        digest: SHA-256 of ``config.json``, which stands for the whole model.
        more: Further files that the configuration names, by name.
    """

    path: Path
    config: ConfigT
    graph: bytes
    tokenizer: bytes
    digest: str
    more: dict[str, bytes]


def load_files(
    path: str | Path | None, kind: str, config: type[ConfigT]
) -> SpecialistFiles[ConfigT]:
    """Read a specialist's folder whole, checking each file against its digest.

    Args:
        path: The folder; None or ``embedded`` for the shipped one.
        kind: ``severity`` or ``technique``.
        config: Schema of its configuration, with ``format_version``, ``kind`` and ``sha256``.

    Raises:
        InputError: There is no such folder, or it holds another kind of model.
        ModelError: A file is missing or damaged, or the format is newer than this installation.
    """
    folder = shipped_folder() / kind if path in (None, "embedded") else Path(str(path))
    recover(folder)
    try:
        content = (folder / CONFIG_FILE).read_bytes()
    except OSError as error:
        raise InputError(f"{folder}: no model folder, it has no readable {CONFIG_FILE}") from error
    try:
        plain = msgspec.json.decode(content)
        found: dict[str, Any] = plain if isinstance(plain, dict) else {}
        if found.get("kind") != kind:
            raise InputError(f"{folder}: not a {kind} specialist")
        version = found.get("format_version")
        if isinstance(version, int) and version > FORMAT_VERSION:
            raise ModelError(
                f"{folder}: a newer format than the {FORMAT_VERSION} that this installation reads: "
                "install a newer cybersecqwen"
            )
        read = msgspec.json.decode(content, type=config)
    except DECODE_ERRORS as error:
        raise ModelError(f"{folder / CONFIG_FILE}: not a {kind} configuration: {error}") from error
    files = {name: checked_file(folder / name, wanted) for name, wanted in found["sha256"].items()}
    missing = {GRAPH_FILE, TOKENIZER_FILE} - files.keys()
    if missing:
        raise ModelError(f"{folder}: {CONFIG_FILE} names no {' and no '.join(sorted(missing))}")
    graph, tokenizer = files.pop(GRAPH_FILE), files.pop(TOKENIZER_FILE)
    digest = hashlib.sha256(content).hexdigest()
    return SpecialistFiles(folder, read, graph, tokenizer, digest, files)


def checked_file(path: Path, wanted: str) -> bytes:
    """Return a file's content if its SHA-256 is the one that its folder states.

    Raises:
        ModelError: It cannot be read, or is another.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}") from error
    if hashlib.sha256(content).hexdigest() != wanted:
        raise ModelError(
            f"{path}: damaged, its SHA-256 is not the one that its folder states; "
            "reinstall or copy the model again"
        )
    return content
