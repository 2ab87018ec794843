"""The folder in which a long run keeps its checkpoints until what it makes is whole."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from cybersecqwen.core.atomic_folder import full_disk_told, settle_tree
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.files import flush_folder, write_text
from cybersecqwen.core.locks import exclusive

_MARK = "run.txt"
_DONE = "done.txt"


@contextmanager
def work_folder(out: Path, identity: Any, *, resume: bool, writes: bool = True) -> Iterator[Path]:
    """Claim the work folder of the run that makes the folder ``out``, and hold the right to it.

    It is ``out`` with ``.work`` added to its name. It stays when the block fails or the process
    dies, so that a later run can go on with it.

    Args:
        out: Folder to appear; ``publish`` puts it there.
        identity: What must be the same for work left behind to be gone on with; any value that
            msgspec encodes.
        resume: Whether to go on with work left behind.
        writes: Whether this process is the one that writes. The others of a distributed run,
            which come after it, are only given the path.

    Raises:
        LockedError: Another run makes ``out``.
        InputError: ``out`` is there already, or the work left behind cannot be gone on with.
    """
    work = out.with_name(out.name + ".work")
    if not writes:
        yield work
        return
    with exclusive(out):
        shutil.rmtree(_rubbish(work), ignore_errors=True)
        if out.exists() and (work / _DONE).exists():  # killed before it was cleared
            _clear(work)
        refuse_taken(out)
        _claim(work, hashlib.sha256(msgspec.json.encode(identity)).hexdigest(), resume=resume)
        with full_disk_told(out, kept=work):
            yield work


def clear_left(out: Path) -> None:
    """Remove what a run left that was killed once ``out`` was whole, which may be large.

    Raises:
        LockedError: Another run makes ``out``.
    """
    work = out.with_name(out.name + ".work")
    left = _rubbish(work).exists() or (work / _DONE).exists()
    if out.exists() and left:
        with exclusive(out):
            shutil.rmtree(_rubbish(work), ignore_errors=True)
            if (work / _DONE).exists():
                _clear(work)


def refuse_taken(out: Path) -> None:
    """Refuse an output folder that is there, before anything long is done for it.

    Raises:
        InputError: It is there.
    """
    if out.exists():
        raise InputError(f"{out}: is there already; give another folder, or remove it")


def _claim(work: Path, what: str, *, resume: bool) -> None:
    mark = work / _MARK
    if mark.exists():
        if mark.read_text("utf-8") != what:
            raise InputError(f"{work}: left by a run of another recipe or corpus; remove it first")
        if not resume:
            raise InputError(f"{work}: left by a run that did not end; give --resume, or remove it")
    (work / _DONE).unlink(missing_ok=True)
    write_text(mark, what)


def publish(made: Path, work: Path, out: Path) -> None:
    """Give a folder made within the work folder its place, and remove the work folder."""
    settle_tree(made)
    write_text(work / _DONE, "")
    made.rename(out)
    flush_folder(out.parent)
    _clear(work)


def _clear(work: Path) -> None:
    """Remove the work folder: under another name, by which the next run tells what is left."""
    work.rename(_rubbish(work))
    shutil.rmtree(_rubbish(work))


def _rubbish(work: Path) -> Path:
    return work.with_name(f".{work.name}.old")
