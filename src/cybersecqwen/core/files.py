"""Files that are either whole or not there, and streams of lines from whatever holds them."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import msgspec

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.locks import begin, release

_CHUNK_BYTES = 1 << 20


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give the name of a new file, which takes ``path``'s place only when the block ends well.

    The data is flushed to disk before the rename, so that after a crash ``path`` holds the old
    content or the new one, never a part. The new file is ``.NAME.part``, locked while it is
    written; what a killed process left of one is removed.

    Raises:
        LockedError: Another process writes it.
        OSError: The folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    held = [begin(part, path)]
    try:
        yield part
        flush_file(part)
        if sys.platform == "win32":  # which renames no open file
            release(held.pop())
        part.replace(path)
        flush_folder(path.parent)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    finally:
        for descriptor in held:
            release(descriptor)


@contextmanager
def atomic_write(path: Path) -> Iterator[IO[bytes]]:
    """Open a new file that takes ``path``'s place only when the block ends well.

    See ``atomic_path``.

    Raises:
        LockedError: Another process writes it.
        OSError: The folder cannot be written.
    """
    with atomic_path(path) as part, part.open("wb") as stream:
        yield stream


def flush_file(path: Path) -> None:
    """Give a file's content to the disk."""
    # Windows flushes only what is open for writing.
    with path.open("rb+" if sys.platform == "win32" else "rb") as stream:
        os.fsync(stream.fileno())


def flush_folder(folder: Path) -> None:
    """Give a folder's list of names to the disk, where the system opens folders."""
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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


def list_digests(digests: Mapping[str, str], otherwise: str = "none") -> str:
    """Return names, each with the beginning of its SHA-256, as a card lists them.

    Args:
        digests: Hexadecimal, by name.
        otherwise: What to say of no name.
    """
    return ", ".join(f"{name} `{digest[:16]}`" for name, digest in digests.items()) or otherwise


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
