"""Locks on outputs: one process at a time writes a file, a log, a store or a folder.

A lock is the operating system's own on an open file, so that it ends with the process that holds
it, however that ends. It is advisory: every writer of ours takes it.
"""

from __future__ import annotations

import errno
import os
import platform
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from cybersecqwen.core.errors import InputError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

# Windows locks bytes, and nobody else can read those: one that lies behind what is written.
_LOCKED_BYTE = 1 << 30
_HOLDER_BYTES = 4096
# On Windows, files are text unless told otherwise; a link in the lock's place is not followed.
_FLAGS = os.O_RDWR | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)


class LockedError(InputError):
    """Another process writes the output, or another thread of this one."""


class _Holder(msgspec.Struct, frozen=True):
    """Who holds a lock, for those who are refused."""

    pid: int
    host: str
    since: str

    def __str__(self) -> str:
        here = self.host == platform.node()
        return f"process {self.pid}{'' if here else f' on {self.host}'} (since {self.since})"


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the right to write ``path``, be it a file or a folder, which need not exist.

    The lock is ``.NAME.lock`` beside it, which goes when the block ends. One that a dead process
    left is taken over.

    Raises:
        LockedError: Another run holds it; the message says which.
        InputError: Nothing can be written there, or the file system knows no locks.
    """
    lock = path.parent / f".{path.name}.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = _acquired(lock, path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror or error}") from error
    try:
        yield
    finally:
        release(descriptor, lock)


def _acquired(lock: Path, path: Path) -> int:
    """Return the descriptor of the lock's file, locked and with this process's name in it."""
    while True:
        descriptor = os.open(lock, _FLAGS | os.O_CREAT, 0o666)
        try:
            if not try_lock(descriptor):
                raise LockedError(f"{path}: {_holder(descriptor)} is writing it")
            if is_at(descriptor, lock):
                host, since = platform.node(), time.strftime("%Y-%m-%d %H:%M:%S")
                os.ftruncate(descriptor, 0)
                os.write(descriptor, msgspec.json.encode(_Holder(os.getpid(), host, since)))
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # its holder has just removed it


def _holder(descriptor: int) -> _Holder | str:
    with suppress(OSError, msgspec.DecodeError):
        return msgspec.json.decode(os.read(descriptor, _HOLDER_BYTES), type=_Holder)
    return "another process"


def is_at(descriptor: int, path: Path) -> bool:
    """Whether an open file is still the one at ``path``."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat(follow_symlinks=False))
    except FileNotFoundError:
        return False


def try_lock(descriptor: int) -> bool:
    """Lock an open file unless another process or another opening of it has; say whether.

    Raises:
        OSError: The file system knows no locks.
    """
    try:
        if sys.platform == "win32":
            os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
            try:
                msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            finally:
                os.lseek(descriptor, 0, os.SEEK_SET)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in {errno.EAGAIN, errno.EACCES, errno.EDEADLK}:
            return False
        raise
    return True


def release(descriptor: int, lock: Path | None = None) -> None:
    """Unlock and close a file, and remove it if it is named."""
    try:
        if sys.platform == "win32":
            os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)
        else:
            if lock is not None:
                lock.unlink(missing_ok=True)  # while it is held: the next holder's is another
            # Closing alone would not do where a forked child has the file open too.
            fcntl.flock(descriptor, fcntl.LOCK_UN)
    finally:
        os.close(descriptor)
    if sys.platform == "win32" and lock is not None:
        with suppress(OSError):  # open elsewhere: whoever has it will remove it
            lock.unlink()


def begin(part: Path, path: Path) -> int:
    """Create the file in which a new ``path`` is written; return its descriptor, locked.

    One that a dead process left there is removed; one that is being written is left alone.

    Raises:
        LockedError: Another process writes it.
        OSError: It cannot be created.
    """
    with suppress(FileNotFoundError):
        _remove_left_over(part, path)
    try:
        descriptor = os.open(part, _FLAGS | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError as error:
        raise LockedError(f"{path}: another process is writing it") from error
    if not try_lock(descriptor):
        os.close(descriptor)
        raise LockedError(f"{path}: another process is writing it")
    return descriptor


def _remove_left_over(part: Path, path: Path) -> None:
    descriptor = os.open(part, _FLAGS)
    try:
        if not try_lock(descriptor):
            raise LockedError(f"{path}: another process is writing it")
        if sys.platform != "win32" and is_at(descriptor, part):
            part.unlink()  # while it is locked: nobody else's new one can stand there
    finally:
        os.close(descriptor)
    if sys.platform == "win32":
        with suppress(PermissionError):  # open elsewhere
            part.unlink()
