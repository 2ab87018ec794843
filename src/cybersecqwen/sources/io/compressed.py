"""Streams that decompress as they are read: bzip2, xz, Zstandard."""

from __future__ import annotations

import bz2
import io
import lzma
import sys
from collections.abc import Callable
from typing import Any, Protocol

from cybersecqwen.sources.io.streams import CHUNK_BYTES, Bytes

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_MAX_XZ_BYTES = 256 << 20
"""Of memory for decompression; the largest preset of xz needs 65 MiB."""

_MAX_ZSTD_WINDOW_LOG = 27
"""Binary logarithm of the largest window, 128 MiB, which is what ``zstd --long`` writes."""

_ERRORS = (lzma.LZMAError, zstd.ZstdError)


class Decompressor(Protocol):
    """What ``bz2`` and ``lzma`` have in common."""

    @property
    def eof(self) -> bool:
        """Whether the end of the compressed stream is reached."""
        ...

    @property
    def needs_input(self) -> bool:
        """Whether nothing more comes out before more is put in."""
        ...

    @property
    def unused_data(self) -> bytes:
        """What stands behind the end of the compressed stream."""
        ...

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        """Return what comes of ``data``, at most ``max_length`` bytes of it."""
        ...


class Decompressed(io.RawIOBase):
    """The content of one or several compressed streams, one after the other.

    Args:
        stream: The compressed bytes.
        new: Makes a decompressor, one for each stream.
    """

    def __init__(self, stream: Bytes, new: Callable[[], Decompressor]) -> None:
        self._stream = stream
        self._new = new
        self._decompressor = new()
        self._rest = b""

    def readable(self) -> bool:
        """Return True."""
        return True

    def read1(self, size: int, /) -> bytes:
        """Return up to ``size`` bytes of the content, and none at its end.

        Raises:
            EOFError: The compressed stream ends in the middle.
            OSError: It is damaged, or needs more memory than is allowed.
        """
        while True:
            if self._decompressor.eof:
                rest = (self._decompressor.unused_data or self._rest).lstrip(b"\x00")
                rest = rest or self._stream.read1(CHUNK_BYTES).lstrip(b"\x00")
                if not rest:
                    return b""
                self._decompressor, self._rest = self._new(), rest
            data = self._rest
            self._rest = b""
            if not data and self._decompressor.needs_input:
                data = self._stream.read1(CHUNK_BYTES)
                if not data:
                    raise EOFError
            try:
                piece = self._decompressor.decompress(data, size)
            except _ERRORS as error:
                raise OSError(str(error)) from None
            if piece:
                return piece

    def readinto(self, buffer: Any, /) -> int:
        """Fill ``buffer`` with what is ready; return how much that is."""
        piece = self.read1(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)


def open_bzip2(stream: Bytes) -> Decompressed:
    """Return the content of bzip2 streams."""
    return Decompressed(stream, bz2.BZ2Decompressor)


def open_xz(stream: Bytes) -> Decompressed:
    """Return the content of xz or older lzma streams; over 256 MiB of memory is refused."""
    return Decompressed(
        stream, lambda: lzma.LZMADecompressor(lzma.FORMAT_AUTO, memlimit=_MAX_XZ_BYTES)
    )


def open_zstd(stream: Bytes) -> Decompressed:
    """Return the content of Zstandard frames; one with a window over 128 MiB is refused."""
    options = {int(zstd.DecompressionParameter.window_log_max): _MAX_ZSTD_WINDOW_LOG}
    return Decompressed(stream, lambda: zstd.ZstdDecompressor(options=options))
