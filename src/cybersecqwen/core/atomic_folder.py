"""A folder that is either whole or not there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cybersecqwen.core.errors import InputError


@contextmanager
def atomic_folder(path: Path, marker: str) -> Iterator[Path]:
    """Make a folder beside ``path`` that takes its place only when the block ends well.

    A process killed inside the block leaves ``.NAME.part``, which the next call removes. Files
    are to be flushed by whoever writes them (``core.files.atomic_write`` does).

    Args:
        path: The folder to appear. If it exists, it is replaced whole.
        marker: File that tells a folder of ours; one without it is not touched unless empty.

    Raises:
        InputError: ``path`` is a file, or a folder that holds something else.
    """
    part = path.with_name(f".{path.name}.part")
    old = path.with_name(f".{path.name}.old")
    if old.exists() and not path.exists():
        old.rename(path)  # killed between the two renames below
    shutil.rmtree(old, ignore_errors=True)
    ours = not path.exists() or (path / marker).is_file() or _is_empty(path)
    if not ours:
        raise InputError(f"{path}: already there and no earlier output of this; choose another")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        yield part
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    _flush(part)
    if path.exists():
        path.rename(old)
    part.rename(path)
    _flush(path.parent)
    shutil.rmtree(old, ignore_errors=True)


def _is_empty(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())


def _flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
