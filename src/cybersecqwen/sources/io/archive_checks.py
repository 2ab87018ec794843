"""What an archive is looked at for before it is opened: its kind, and what it would cost."""

from __future__ import annotations

import io
import os
import tarfile
from dataclasses import dataclass
from typing import IO

DIRECTORY_ENTRY = b"PK\x01\x02"
_MAX_TAR_HEADER_BYTES = 1 << 20
_DOCUMENTS = {
    "xl/workbook.bin": "a binary Excel workbook (.xlsb)",
    "word/document.xml": "a Word document",
    "ppt/presentation.xml": "a PowerPoint presentation",
    "content.xml": "an OpenDocument file",
    "META-INF/MANIFEST.MF": "a Java archive",
    "AndroidManifest.xml": "an Android package",
}


def document_kind(names: set[str]) -> str:
    """Return what a zip is by its members' names, where it is a document; else an empty string."""
    return next((what for name, what in _DOCUMENTS.items() if name in names), "")


def size_of(stream: io.BufferedReader) -> int:
    """Return the size of a regular file, 0 of anything else."""
    try:
        return os.fstat(stream.fileno()).st_size
    except (OSError, ValueError):
        return 0


@dataclass(frozen=True, slots=True)
class ZipDirectory:
    """Where a zip's directory lies, in bytes; empty where there is none to be found."""

    start: int = 0
    size: int = 0


def directory_of(file: IO[bytes]) -> ZipDirectory:
    """Find the directory of a zip."""
    end = file.seek(0, os.SEEK_END)
    tail_size = min(end, 22 + 0xFFFF + 56 + 20)  # both end records, locator and comment
    file.seek(end - tail_size)
    tail = file.read(tail_size)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0:
        return ZipDirectory()  # zipfile says what is wrong with it
    size = int.from_bytes(tail[at + 12 : at + 16], "little")
    if size == 0xFFFFFFFF:
        at = tail.rfind(b"PK\x06\x06", 0, at)
        size = int.from_bytes(tail[at + 40 : at + 48], "little") if at >= 0 else end
    # As zipfile does: what a directory states as its start is not heeded.
    return ZipDirectory(max(0, end - tail_size + at - size), size)


class CheckedTarInfo(tarfile.TarInfo):
    """Refuses headers that would be read into memory whatever size they name, and sparse files."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> CheckedTarInfo:
        """Return the header of a member.

        Raises:
            tarfile.ReadError: It is one of those.
        """
        info = super().frombuf(buf, encoding, errors)
        if info.type == tarfile.GNUTYPE_SPARSE:
            raise tarfile.ReadError("it holds a sparse file")
        if (
            info.type
            in {
                tarfile.XHDTYPE,
                tarfile.XGLTYPE,
                tarfile.SOLARIS_XHDTYPE,
                tarfile.GNUTYPE_LONGNAME,
                tarfile.GNUTYPE_LONGLINK,
            }
            and info.size > _MAX_TAR_HEADER_BYTES
        ):
            raise tarfile.ReadError("one of its headers is too long")
        return info
