"""Inputs and outputs on other file systems, by way of copies on this machine's disk.

A file or folder elsewhere is named by a URL that fsspec knows (``s3://``, ``gs://``, ``sftp://``,
``memory://`` ...). It is copied here before it is read, and an output is written here and copied
there once it is whole, so that readers, resumption and atomic writers are the same for all. A run
that is interrupted leaves its copies for the run that goes on with it.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import IO, Any
from urllib.parse import unquote, urlsplit

from cybersecqwen.core.errors import InputError, require_extra
from cybersecqwen.core.files import atomic_write
from cybersecqwen.core.locks import exclusive
from cybersecqwen.core.paths import data_folder

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(?:::[A-Za-z][A-Za-z0-9+.-]*)*://")
_LOCAL = ("file://", "local://")
_ADDRESSES = ("http://", "https://", "ftp://")
_CHUNK_BYTES = 1 << 20
_VERSION_ENDING = ".version"


def is_url(name: str) -> bool:
    """Whether a name is a URL rather than a path of this machine."""
    return _URL.match(name) is not None


class Staging:
    """Paths on this machine that stand for files elsewhere, while a job runs.

    Outputs are copied to their places when the block ends well, and the copies are deleted. When
    it does not, they stay, if the job has left anything to go on with.

    Args:
        notice: Called with a line about each copy that is made.
        continued: Whether an output that is there already is gone on with.
    """

    def __init__(
        self, notice: Callable[[str], None] = lambda _: None, *, continued: bool = False
    ) -> None:
        self._notice = notice
        self._continued = continued
        self._names: dict[Path, str] = {}
        self._outputs: list[tuple[Path, str]] = []
        self._folder: Path | None = None
        self._held = ExitStack()

    def open(self, inputs: Iterable[str], outputs: Iterable[str]) -> dict[str, Path]:
        """Return the path that stands for each name, after copying the inputs here.

        Args:
            inputs: URLs and paths of this machine, which stand for themselves.
            outputs: Likewise.

        Raises:
            InputError: There is no such file or file system, or it cannot be read.
            LockedError: Another run with the same names is under way.
            MissingExtraError: fsspec is not installed.
        """
        read, written = list(inputs), list(outputs)
        elsewhere = [name for name in (*read, *written) if _is_elsewhere(name)]
        if elsewhere:
            key = hashlib.sha256("\n".join(elsewhere).encode()).hexdigest()[:16]
            self._folder = data_folder() / "staged" / key
            self._held.enter_context(exclusive(self._folder))
        paths = {}
        for name in read:
            paths[name] = self._input(name)
        for name in written:
            paths[name] = self._output(name)
        return paths

    def name_of(self, path: Path | None) -> str:
        """Return the URL that a path stands for, or an empty string."""
        return self._names.get(path, "") if path else ""

    def told(self, text: str) -> str:
        """Return a message with URLs in the place of the paths that stand for them."""
        for path, name in self._names.items():
            text = text.replace(str(path), name)
        return text

    def __enter__(self) -> Staging:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._held:
            if kind is None:
                for path, name in self._outputs:
                    if path.exists():
                        self._notice(f"copying to {name}")
                        _publish(path, name)
            if self._folder and (kind is None or not _can_go_on(self._folder)):
                shutil.rmtree(self._folder, ignore_errors=True)

    def _input(self, name: str) -> Path:
        if not _is_elsewhere(name):
            return _local_path(name)
        system, place = _file_system(name)
        local = self._place(name, "in")
        try:
            found = system.info(place)
            if found["type"] == "directory":
                for file in sorted(system.find(place)):
                    below = PurePosixPath(file).relative_to(found["name"])
                    self._fetch(system, file, local / below, name)
            else:
                self._fetch(system, place, local, name)
        except FileNotFoundError as error:
            raise InputError(f"{name}: no such file or folder") from error
        except Exception as error:  # each file system has exceptions of its own
            raise _failed(name, "read", error) from error
        return local

    def _fetch(self, system: Any, place: str, local: Path, name: str) -> None:
        """Copy one file here, unless the copy that an interrupted run left is still the same."""
        version = local.with_name(f".{local.name}{_VERSION_ENDING}")
        now = str(system.ukey(place))
        if local.exists() and version.exists() and version.read_text() == now:
            return
        size = system.size(place)
        self._notice(f"copying {name} here" + (f" ({size:,} bytes)" if size is not None else ""))
        version.unlink(missing_ok=True)
        with system.open(place, "rb") as source, atomic_write(local) as target:
            _copy(source, target)
        version.write_text(now)

    def _output(self, name: str) -> Path:
        if not _is_elsewhere(name):
            return _local_path(name)
        system, place = _file_system(name)
        local = self._place(name, "out")
        try:
            if system.isdir(place) and system.ls(place):
                raise InputError(f"{name}: is there already; give an output with a new name")
            if self._continued and not local.exists() and system.isfile(place):
                self._fetch(system, place, local, name)
        except InputError:
            raise
        except Exception as error:
            raise _failed(name, "written", error) from error
        local.parent.mkdir(parents=True, exist_ok=True)
        self._outputs.append((local, name))
        return local

    def _place(self, name: str, kind: str) -> Path:
        assert self._folder  # names elsewhere have one
        base = PurePosixPath(urlsplit(name).path).name or urlsplit(name).netloc
        local = self._folder / f"{kind}-{len(self._names)}" / base
        self._names[local] = name
        return local


def _is_elsewhere(name: str) -> bool:
    return is_url(name) and not name.lower().startswith(_LOCAL)


def _local_path(name: str) -> Path:
    if is_url(name):  # file:///path
        parts = urlsplit(name)
        return Path(unquote(f"{parts.netloc}{parts.path}"))
    return Path(name)


def _file_system(name: str) -> tuple[Any, str]:
    """Return the file system that a URL names, and the place in it."""
    if name.lower().startswith(_ADDRESSES):
        raise InputError(f"{name}: is an address of the web, and nothing is fetched: download it")
    require_extra("remote", "fsspec")
    from fsspec.core import url_to_fs

    try:
        system, place = url_to_fs(name)
    except (ImportError, ValueError) as error:  # a package of its own, or no such file system
        raise InputError(f"{name}: {error}") from error
    except Exception as error:
        raise _failed(name, "reached", error) from error
    return system, str(place)


def _publish(path: Path, name: str) -> None:
    """Copy an output to its place: each file whole or not at all, a folder's manifest last."""
    system, place = _file_system(name)
    try:
        if path.is_file():
            _put(system, path, place)
            return
        files = [file for file in sorted(path.rglob("*")) if file.is_file()]
        for file in sorted(files, key=lambda file: file.name.startswith("manifest")):
            _put(system, file, f"{place.rstrip('/')}/{file.relative_to(path).as_posix()}")
    except Exception as error:
        raise InputError(
            f"{name}: cannot be written: {_reason(error)}; the output is kept as {path}"
        ) from error


def _put(system: Any, file: Path, place: str) -> None:
    # What is written in a transaction takes its name when it is whole.
    with system.transaction, file.open("rb") as source, system.open(place, "wb") as target:
        _copy(source, target)


def _copy(source: IO[bytes], target: IO[bytes]) -> None:
    while piece := source.read(_CHUNK_BYTES):
        target.write(piece)


def _failed(name: str, what: str, error: Exception) -> InputError:
    return InputError(f"{name}: cannot be {what}: {_reason(error)}")


def _reason(error: Exception) -> str:
    return str(error).strip().split("\n")[0] or type(error).__name__


def _can_go_on(folder: Path) -> bool:
    """Whether a run has left more than copies of its inputs."""
    return any(files for part, _, files in os.walk(folder) if "out-" in part)
