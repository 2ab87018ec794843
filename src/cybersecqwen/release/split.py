"""A stream that is cut into files of a given size."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import IO


class SplitWriter(io.RawIOBase):
    """A stream that goes on in a next file whenever one is full."""

    def __init__(self, open_part: Callable[[int], IO[bytes]], part_bytes: int) -> None:
        self._open, self._limit = open_part, part_bytes
        self._number, self._left = 0, 0
        self._stream: IO[bytes] | None = None

    def writable(self) -> bool:
        """It can be written."""
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        """Write bytes, into as many files as they need."""
        view = memoryview(data)
        while view:
            if not self._left or self._stream is None:
                self._next()
            assert self._stream is not None
            written = self._stream.write(view[: self._left])
            view, self._left = view[written:], self._left - written
        return len(data)

    def _next(self) -> None:
        if self._stream is not None:
            self._stream.close()
        self._number += 1
        self._stream, self._left = self._open(self._number), self._limit

    def close(self) -> None:
        """Close the last file."""
        if self._stream is not None:
            self._stream.close()
        super().close()
