"""How far an input has been read."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO


class ReadPosition:
    """How much of an input's bytes, as they lie on disk, has been read."""

    def __init__(self) -> None:
        self._total = 0
        self._before = 0
        self._stream: IO[bytes] | None = None

    @property
    def fraction(self) -> float | None:
        """Share that has been read (0 to 1); None where the input's size is not known."""
        if not self._total:
            return None
        here = self._stream.tell() if self._stream else 0
        return min(1.0, (self._before + here) / self._total)

    def expect(self, files: Iterable[Path]) -> None:
        """Take the sizes of files for the whole."""
        for file in files:
            with suppress(OSError):
                self._total += file.stat().st_size

    @contextmanager
    def reading(self, stream: IO[bytes]) -> Iterator[None]:
        """Follow a file's position until it has been read."""
        self._stream = stream
        try:
            yield
        finally:
            self._stream = None
            with suppress(OSError, ValueError):
                self._before += stream.seek(0, os.SEEK_END)
