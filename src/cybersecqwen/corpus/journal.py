"""What a language model has written for a corpus so far."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from cybersecqwen.core.errors import InputError


class JournalLine(msgspec.Struct, frozen=True):
    """What a language model answered.

    Attributes:
        key: Stands for all that was asked.
        text: What it wrote.
        finish: As in ``Generation``.
    """

    key: str
    text: str
    finish: str


class Journal:
    """What a teacher has written so far: a killed build takes up from here.

    Args:
        path: JSONL file; made when the first line is written.

    Raises:
        InputError: The file is there and cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, JournalLine] = {}
        decode = msgspec.json.Decoder(JournalLine).decode
        try:
            whole = path.read_bytes() if path.exists() else b""
        except OSError as error:
            raise InputError(f"{path}: cannot be read: {error}") from error
        for line in whole.split(b"\n"):
            try:
                entry = decode(line)
            except msgspec.DecodeError:
                continue  # the line that was being written when the build was killed
            self._known[entry.key] = entry
        self._torn = bool(whole) and not whole.endswith(b"\n")

    def get(self, key: str) -> JournalLine | None:
        """Return what was written under a key."""
        return self._known.get(key)

    def add(self, line: JournalLine) -> None:
        """Write a line, and see to it that it is on the disk."""
        self._known[line.key] = line
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab") as stream:
            stream.write((b"\n" if self._torn else b"") + msgspec.json.encode(line) + b"\n")
            stream.flush()
            os.fsync(stream.fileno())
        self._torn = False

    def remove(self) -> None:
        """Delete the file: the build is done."""
        self._path.unlink(missing_ok=True)
