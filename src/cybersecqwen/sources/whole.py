"""A file read whole, for formats whose parts refer to each other."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from cybersecqwen.core.errors import InputError

_GZIP_MAGIC = b"\x1f\x8b"
_UTF8_BOM = b"\xef\xbb\xbf"


def read_whole(path: Path) -> bytes:
    """Return the content of a file, decompressed if it is gzip, without a UTF-8 mark.

    Raises:
        InputError: The file cannot be read or is damaged.
    """
    try:
        content = path.read_bytes()
        if content.startswith(_GZIP_MAGIC):
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: cannot read the file: {error}") from error
    return content.removeprefix(_UTF8_BOM)
