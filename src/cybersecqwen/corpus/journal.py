"""What a language model has written for a corpus so far."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from cybersecqwen.core.chat import Message, Sampling
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.interfaces import Backend


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

    def answers(
        self, teacher: Backend, asked: Mapping[str, Sequence[Message]], sampling: Sampling
    ) -> dict[str, JournalLine]:
        """Return a model's answer to each conversation; what is known is not asked for again.

        A build that was killed asks the rest with the seeds that it would have asked it with.

        Args:
            teacher: The model.
            asked: Conversations by what stands for all that is asked; see ``key_of``.
            sampling: How answers are drawn.

        Raises:
            ModelError: The model cannot answer at all.
        """
        keys = list(asked)
        missing = [key for key in keys if key not in self._known]
        if missing:
            sampling = replace(sampling, first_index=keys.index(missing[0]))
        answers = teacher.generate((asked[key] for key in missing), sampling)
        for key, answer in zip(missing, answers, strict=True):
            self._add(JournalLine(key, answer.text, answer.finish))
        return {key: self._known[key] for key in keys}

    def _add(self, line: JournalLine) -> None:
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


def key_of(*parts: object) -> str:
    """Return what stands for all that is asked: the model's name, the options, the texts."""
    whole = "\0".join(map(str, parts)).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(whole, digest_size=16).hexdigest()
