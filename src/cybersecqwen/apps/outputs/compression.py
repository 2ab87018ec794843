"""Outputs compressed on their way to a file."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

_GZIP = 16 + zlib.MAX_WBITS
"""zlib's largest window and gzip's header, without time or name: the same rows, the same bytes."""


def gzipped(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield pieces of bytes as one gzip stream."""
    compressor = zlib.compressobj(6, zlib.DEFLATED, _GZIP)
    for piece in pieces:
        if packed := compressor.compress(piece):
            yield packed
    yield compressor.flush()
