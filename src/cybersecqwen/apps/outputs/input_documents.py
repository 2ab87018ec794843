"""The input's documents, read a second time for outputs that fill them in."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from cybersecqwen.apps.outputs.filled_documents import Documents
from cybersecqwen.core.errors import InputError
from cybersecqwen.sources.io.streams import NotRecordsError, UnreadableError
from cybersecqwen.sources.io.unpack import Workbook, open_sources

MOST_BYTES = 256 << 20
"""Of one document, unpacked."""


def input_documents(source: Path) -> Documents:
    """Return what opens each document of a file, a folder or an archive again."""
    return partial(_documents, source)


def _documents(source: Path) -> Iterator[tuple[str, bytes]]:
    for found in open_sources(source, sys.stdin.buffer):
        if isinstance(found, NotRecordsError):
            continue  # a readme beside the documents
        if isinstance(found, UnreadableError):
            raise found
        if isinstance(found, Workbook):
            raise InputError(f"{found.name}: a workbook, so it cannot be filled in")
        content = found.as_utf8().read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise InputError(f"{found.name}: more than {MOST_BYTES >> 20} MiB, unpacked")
        yield found.name, content
