"""Files that are either whole or not there, and streams of lines from whatever holds them."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import msgspec

from cybersecqwen.core.errors import InputError

_CHUNK_BYTES = 1 << 20


@contextmanager
def atomic_write(path: Path) -> Iterator[IO[bytes]]:
    """Open a temporary file that takes ``path``'s place only when the block ends well.

    The data is flushed to disk before the rename, so that after a crash ``path`` holds the old
    content or the new one, never a part.

    Raises:
        OSError: The folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).chmod(0o666 & ~_umask())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _umask() -> int:
    current = os.umask(0o022)
    os.umask(current)
    return current


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8, atomically."""
    with atomic_write(path) as stream:
        stream.write(text.encode("utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented UTF-8 JSON, atomically."""
    write_text(path, msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


def sha256_file(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def digest_of(path: Path) -> str:
    """Return the digest that stands for a model on disk.

    Of a file it is the SHA-256. Of a folder it is the SHA-256 of the list that ``sha256sum``
    prints of all its files (two spaces between digest and path, a newline after each), by path
    relative to the folder, in the order of the paths' bytes; hidden files are left out.

    Raises:
        InputError: There is no such file or folder, or it cannot be read.
    """
    try:
        if path.is_file():
            return sha256_file(path)
        if not path.is_dir():
            raise InputError(f"{path}: no such file or folder")
        names = [file.relative_to(path) for file in path.rglob("*") if file.is_file()]
        shown = sorted(
            os.fsencode(name.as_posix())
            for name in names
            if not any(part.startswith(".") for part in name.parts)
        )
        lines = [
            b"%s  %s\n" % (sha256_file(path / os.fsdecode(name)).encode(), name) for name in shown
        ]
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    return hashlib.sha256(b"".join(lines)).hexdigest()
