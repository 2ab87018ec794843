"""A file read whole, for formats whose parts refer to each other."""

from __future__ import annotations

import io
from pathlib import Path

from cybersecqwen.core.errors import InputError
from cybersecqwen.sources.io.streams import UnreadableError, open_sources


def read_whole(path: Path) -> bytes:
    """Return the content of the one file at ``path``: plain, gzip or zip; UTF-8 without a mark.

    Raises:
        InputError: The file cannot be read or is damaged, or there are several.
    """
    content: bytes | None = None
    for source in open_sources(path, io.BytesIO()):
        if isinstance(source, UnreadableError):
            raise source
        if content is not None:
            raise InputError(f"{path}: holds more than one file; give the one to read")
        content = source.as_utf8().read()
    if content is None:
        raise InputError(f"{path}: holds no file to read")
    return content
