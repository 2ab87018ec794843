"""A folder that is either whole or not there, whenever the process or the machine dies.

The new folder is made as ``.NAME.part`` beside the old. Where the system can swap two names in one
step (Linux, macOS) there is no moment without a whole folder. Elsewhere the old one steps aside as
``.NAME.old`` for an instant, and whoever comes next puts it back (``recover``).
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from cybersecqwen.core.errors import CyberSecQwenError, InputError
from cybersecqwen.core.files import flush_file, flush_folder
from cybersecqwen.core.locks import exclusive

_LITTLE_SPACE_BYTES = 1 << 20
_OWNER_ALONE = 0o600


@contextmanager
def atomic_folder(path: Path, marker: str | None = None) -> Iterator[Path]:
    """Make a folder beside ``path`` that takes its place only when the block ends well.

    The right to write ``path`` is held meanwhile. What a killed process left is cleared first.

    Args:
        path: The folder to appear. If it exists, it is replaced whole.
        marker: File that tells a folder of ours; one without it is not touched unless empty.
            None: there must be none.

    Raises:
        LockedError: Another process makes it.
        InputError: ``path`` is a file, or a folder that holds something else; or the disk is full.
    """
    with exclusive(path):
        _put_back(path)
        _check(path, marker)
        part = _part(path)
        _clear(part)
        _clear(_old(path))
        try:
            with full_disk_told(path):
                part.mkdir()
                yield part
                settle_tree(part)
                _place(part, path)
        except BaseException:
            _put_back(path)
            shutil.rmtree(part, ignore_errors=True)
            raise
        # The old one, if there was one; all is done, so what cannot be removed now is left.
        shutil.rmtree(part, ignore_errors=True)
        shutil.rmtree(_old(path), ignore_errors=True)


@contextmanager
def scratch_folder(path: Path) -> Iterator[Path]:
    """Make a folder beside ``path`` for what is needed on the way there; it goes with the block.

    It is ``.NAME.scratch``, so that the next run clears what a killed one left.

    Raises:
        LockedError: Another process is at it.
    """
    folder = path.with_name(f".{path.name}.scratch")
    with exclusive(folder):
        _clear(folder)
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def recover(path: Path) -> None:
    """Put a folder back that a killed replacement left aside; for readers that find none.

    Where that cannot be done, or another process is at it, nothing is changed.
    """
    if not path.exists() and _old(path).exists():
        with suppress(InputError, OSError), exclusive(path):
            _put_back(path)


def _part(path: Path) -> Path:
    return path.with_name(f".{path.name}.part")


def _old(path: Path) -> Path:
    return path.with_name(f".{path.name}.old")


def _put_back(path: Path) -> None:
    if _old(path).exists() and not path.exists():
        _old(path).rename(path)


def _check(path: Path, marker: str | None) -> None:
    if not path.exists():
        return
    if marker is None:
        raise InputError(f"{path}: is there already; give another folder, or remove it")
    empty = path.is_dir() and not any(path.iterdir())
    if not (empty or (path / marker).is_file()):
        raise InputError(f"{path}: already there and no earlier output of this; choose another")


def _clear(folder: Path) -> None:
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)


def _place(part: Path, path: Path) -> None:
    """Give the new folder its name; the old one is then ``part`` or the one set aside."""
    if not path.exists():
        part.rename(path)
    elif not _swap(part, path):
        path.rename(_old(path))
        part.rename(path)
    flush_folder(path.parent)


def _swap(one: Path, other: Path) -> bool:
    """Exchange two names in one step; say whether the system could."""
    import ctypes  # noqa: PLC0415 - some milliseconds, which reading does without

    libc: Any = None if sys.platform == "win32" else ctypes.CDLL(None)
    names = os.fsencode(one), os.fsencode(other)
    if sys.platform == "linux" and hasattr(libc, "renameat2"):  # small C libraries lack it
        at_cwd, exchange = -100, 2  # <fcntl.h> AT_FDCWD, <stdio.h> RENAME_EXCHANGE
        return not libc.renameat2(at_cwd, names[0], at_cwd, names[1], exchange)
    if sys.platform == "darwin":
        return not libc.renamex_np(*names, 2)  # <stdio.h> RENAME_SWAP
    return False


def settle_tree(folder: Path) -> None:
    """Give every file and folder within to the disk, and to those whom the folder is open to.

    Libraries write some files (safetensors) through a temporary one, which its owner alone may
    read: another account could not serve such a model.
    """
    rights = folder.stat().st_mode & 0o666
    for parent, _, names in os.walk(folder):
        for name in names:
            file = Path(parent, name)
            if stat.S_IMODE(file.stat().st_mode) == _OWNER_ALONE:
                file.chmod(rights)
            flush_file(file)
        flush_folder(Path(parent))


@contextmanager
def full_disk_told(path: Path, kept: Path | None = None) -> Iterator[None]:
    """Say in a line what a full disk kept from being written, whichever way a library says it.

    Args:
        path: The file or folder to appear.
        kept: Where what was done so far stays; None where nothing does.

    Raises:
        InputError: The block failed for want of space.
    """
    try:
        yield
    except Exception as error:
        if not _is_full(error, path.parent):
            raise
        left = f"; what is done is kept in {kept}" if kept else ""
        raise InputError(f"{path}: cannot be written: the disk is full{left}") from error


def _is_full(error: Exception, folder: Path) -> bool:
    """Whether an error means a full disk, which libraries say without a number or not at all."""
    if isinstance(error, CyberSecQwenError):
        return False
    if not isinstance(error, OSError) or error.errno is None:
        return shutil.disk_usage(folder).free < _LITTLE_SPACE_BYTES
    return error.errno in {errno.ENOSPC, errno.EDQUOT}
