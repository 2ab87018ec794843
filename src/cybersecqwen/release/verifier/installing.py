"""Installs a checked bundle beside the version that runs, then switches to it in one step.

An installation's folder holds ``versions/IDENTITY`` for each version, complete once
``complete.json`` is written last; ``current`` names the one in use; ``trust`` holds the keys that
later bundles are checked with. Whenever the process dies, ``current`` names a complete version:
the old one or the new one.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .checking import (
    BundleSource,
    CheckedBundle,
    FolderSource,
    check_bundle,
    check_file,
    open_bundle,
)
from .errors import Refusal
from .manifest import MANIFEST, SIGNATURE, File, Manifest, Target, read_manifest
from .oms import Trust

COMPLETE = "complete.json"
_WINDOWS = os.name == "nt"
_MACHINES = {"amd64": "x86_64", "x64": "x86_64", "aarch64": "arm64"}
_SYSTEMS = {"darwin": "macos", "win32": "windows"}
_SPARE_BYTES = 1 << 28  # besides the files themselves: what the packages unpack to, at least
_LAUNCHER = """#!/bin/sh
# Starts the version that "current" names.
self=$(readlink -f "$0") || exit 2
version=$(cd "$(dirname "$self")/../current" && pwd -P) || exit 2
bundle="$version/bundle"
if [ -d "$bundle/knowledge" ]; then
    export CYBERSECQWEN_KB="${CYBERSECQWEN_KB:-$bundle/knowledge}"
fi
if [ -d "$bundle/store" ]; then
    export CYBERSECQWEN_STORE="${CYBERSECQWEN_STORE:-$bundle/store}"
fi
export CYBERSECQWEN_BUNDLE="$bundle"
exec "$version/venv/bin/python" -I -m cybersecqwen "$@"
"""
_LAUNCHER_WINDOWS = """@echo off\r
setlocal\r
set /p version=<"%~dp0..\\current.txt"\r
set "CYBERSECQWEN_BUNDLE=%~dp0..\\versions\\%version%\\bundle"\r
if exist "%CYBERSECQWEN_BUNDLE%\\knowledge" if not defined CYBERSECQWEN_KB ^\r
set "CYBERSECQWEN_KB=%CYBERSECQWEN_BUNDLE%\\knowledge"\r
if exist "%CYBERSECQWEN_BUNDLE%\\store" if not defined CYBERSECQWEN_STORE ^\r
set "CYBERSECQWEN_STORE=%CYBERSECQWEN_BUNDLE%\\store"\r
"%~dp0..\\versions\\%version%\\venv\\Scripts\\python.exe" -I -m cybersecqwen %*\r
"""


@dataclass(frozen=True)
class Installed:
    """The outcome of an installation.

    Attributes:
        manifest: What is installed.
        signer: Who signed it; empty if that was not checked.
        launcher: The program to call.
        before: Identity of the version that was current before, None if there was none.
    """

    manifest: Manifest
    signer: str
    launcher: Path
    before: str | None


def this_platform() -> str:
    """Return system and processor of this machine, as bundles name them."""
    machine = platform.machine().lower()
    system = _SYSTEMS.get(sys.platform, sys.platform)
    return f"{system}-{_MACHINES.get(machine, machine)}"


def this_python() -> str:
    """Return this Python's version, as bundles name it."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def target_here(manifest: Manifest) -> Target:
    """Return the bundle's target that this machine is.

    Raises:
        Refusal: It was made for other machines.
    """
    here = (this_platform(), this_python())
    for target in manifest.targets:
        if (target.platform, target.python) == here:
            return target
    made = ", ".join(f"{t.platform} with Python {t.python}" for t in manifest.targets)
    raise Refusal(
        f"built for another platform: {made or 'none'}; this is {here[0]} with Python {here[1]}"
    )


def current_version(root: Path) -> Path | None:
    """Return the folder of an installation's current version, None without one."""
    if _WINDOWS:
        pointer = root / "current.txt"
        name = pointer.read_text().strip() if pointer.is_file() else ""
        return root / "versions" / name if name else None
    pointer = root / "current"
    return pointer.resolve() if pointer.is_symlink() and pointer.exists() else None


def installed_manifest(version: Path) -> Manifest:
    """Return the manifest of an installed version."""
    return read_manifest((version / "bundle" / MANIFEST).read_bytes())


def trusted_files(root: Path) -> list[Path]:
    """Return the keys and certificates that an installation trusts."""
    return sorted((root / "trust").glob("*.pem"))


def install(
    bundle: Path,
    root: Path,
    trust: Trust | None,
    *,
    allow_unsigned: bool = False,
    allow_older: bool = False,
    trusted: tuple[Path, ...] = (),
    say: Callable[[str], None] = lambda _: None,
) -> Installed:
    """Check a bundle and install it.

    Args:
        bundle: The bundle.
        root: Folder of the installation; made if it is not there.
        trust: Whose signature is believed.
        allow_unsigned: Install a bundle whose signature is not checked.
        allow_older: Install one that is older than what is installed.
        trusted: PEM files to keep in the installation, so that updates need not be told.
        say: Called with each step.

    Raises:
        Refusal: The bundle is refused; nothing was written.
    """
    with open_bundle(bundle) as source:
        say("checking")
        checked = check_bundle(source, trust, allow_unsigned=allow_unsigned)
        target = target_here(checked.manifest)
        _check_root(root)
        _check_newer(root, checked.manifest, allow_older=allow_older)
        base = _check_base(root, checked)
        _check_space(root, checked.manifest)
        with _lock(root):
            _check_newer(root, checked.manifest, allow_older=allow_older)
            before = current_version(root)
            version = root / "versions" / checked.manifest.identity
            if not (version / COMPLETE).exists():
                _build(version, source, checked, base, target, say)
            _keep_trust(root, trusted)
            launcher = _write_launcher(root)
            _switch(root, version)
            _prune(root, {version, before})
    return Installed(checked.manifest, checked.signer, launcher, before.name if before else None)


def _check_root(root: Path) -> None:
    if root.exists() and not root.is_dir():
        raise Refusal(f"{root}: is not a folder")
    if root.is_dir() and any(root.iterdir()) and not (root / "versions").is_dir():
        raise Refusal(f"{root}: holds something else; choose an empty folder")


def _check_newer(root: Path, manifest: Manifest, *, allow_older: bool) -> None:
    version = current_version(root)
    if version is None or allow_older:
        return
    installed = installed_manifest(version)
    if manifest.age_key < installed.age_key:
        raise Refusal(
            f"older than what is installed: {manifest.version} of {manifest.date}, "
            f"installed is {installed.version} of {installed.date}"
        )


def _check_base(root: Path, checked: CheckedBundle) -> FolderSource | None:
    """Return the files of the version that an update is made for, all of them compared."""
    if not checked.base:
        return None
    for version in sorted((root / "versions").glob("*")):
        if not (version / COMPLETE).exists():
            continue
        if installed_manifest(version).sha256 == checked.base:
            base = FolderSource(version / "bundle")
            sizes = base.sizes()
            for file in checked.from_base:
                if file.path not in sizes:
                    raise Refusal(f"missing in the installed version: {file.path!r}")
                check_file(base, file, sizes[file.path])
            return base
    raise Refusal(f"an update for a version that is not installed here: {checked.base[:12]}")


def _check_space(root: Path, manifest: Manifest) -> None:
    place = root
    while not place.exists():
        place = place.parent
    needed = sum(file.size for file in manifest.files.values()) + _SPARE_BYTES
    free = shutil.disk_usage(place).free
    if free < needed:
        raise Refusal(f"{root}: {free / 1e6:,.0f} MB free, {needed / 1e6:,.0f} MB needed")


@contextmanager
def _lock(root: Path) -> Iterator[None]:
    """Hold the installation's lock, which the system frees when the process dies."""
    (root / "versions").mkdir(parents=True, exist_ok=True)
    with (root / ".lock").open("a+b") as stream:
        try:
            if _WINDOWS:
                import msvcrt

                msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
            else:
                import fcntl

                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Refusal(f"{root}: another installation is under way") from None
        yield


def _build(
    version: Path,
    source: BundleSource,
    checked: CheckedBundle,
    base: FolderSource | None,
    target: Target,
    say: Callable[[str], None],
) -> None:
    """Make a version's folder whole; its last file says that it is."""
    if version.exists():  # an earlier attempt was killed
        shutil.rmtree(version)
    try:
        say("unpacking")
        folder = version / "bundle"
        for path, file in checked.manifest.files.items():
            here = base if base and path not in checked.carried else source
            _copy(here, file, folder / path)
        for name in (MANIFEST, SIGNATURE):
            if name in checked.carried:
                _write(folder / name, b"".join(source.read(name)))
        say("installing packages")
        _install_packages(version, folder, target)
        say("trying the new version")
        _run([_python(version), "-I", "-m", checked.manifest.name, "--version"], "does not start")
    except BaseException:
        shutil.rmtree(version, ignore_errors=True)
        raise
    facts = {"version": checked.manifest.version, "signer": checked.signer}
    _write(version / COMPLETE, json.dumps(facts).encode())


def _copy(source: BundleSource, file: File, to: Path) -> None:
    """Copy one file, checking it again: the medium may have changed since it was checked."""
    to.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with to.open("wb") as stream:
        for chunk in source.read(file.path):
            digest.update(chunk)
            stream.write(chunk)
        stream.flush()
        os.fsync(stream.fileno())
    if digest.hexdigest() != file.sha256:
        raise Refusal(f"changed while it was read: {file.path!r}")


def _write(path: Path, data: bytes) -> None:
    """Write a file so that it is whole or not there."""
    part = path.with_name(f".{path.name}.part")
    with part.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    part.replace(path)


def _python(version: Path) -> Path:
    venv = version / "venv"
    return venv / "Scripts" / "python.exe" if _WINDOWS else venv / "bin" / "python"


def _install_packages(version: Path, folder: Path, target: Target) -> None:
    """Install the target's packages from the bundle's wheels, each against its digest."""
    import venv

    venv.EnvBuilder(symlinks=not _WINDOWS, with_pip=False).create(version / "venv")
    wheels = folder / "wheels"
    pip = sorted(wheels.glob("pip-*.whl"))
    if not pip:
        raise Refusal("the bundle has no wheel of pip")
    _run(
        [
            *(_python(version), "-I", pip[0] / "pip", "--isolated", "install", "--no-index"),
            *("--disable-pip-version-check", "--no-cache-dir", "--no-deps", "--require-hashes"),
            *("--only-binary", ":all:", "--find-links", wheels),
            *("--requirement", folder / target.requirements),
        ],
        "packages cannot be installed",
    )


def _run(command: list[str | Path], failure: str) -> None:
    # Nothing in the surroundings may lead elsewhere, neither an index nor a module.
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PIP_", "PYTHON", "VIRTUAL_ENV"))
    }
    environment["PIP_CONFIG_FILE"] = os.devnull
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        tail = " ".join((done.stderr or done.stdout).split())[-600:]
        raise Refusal(f"{failure}: {tail}")


def _keep_trust(root: Path, trusted: tuple[Path, ...]) -> None:
    for path in trusted:
        data = path.read_bytes()
        name = f"{hashlib.sha256(data).hexdigest()[:16]}.pem"
        (root / "trust").mkdir(exist_ok=True)
        _write(root / "trust" / name, data)


def _write_launcher(root: Path) -> Path:
    name, text = (
        ("cybersecqwen.cmd", _LAUNCHER_WINDOWS) if _WINDOWS else ("cybersecqwen", _LAUNCHER)
    )
    path = root / "bin" / name
    path.parent.mkdir(exist_ok=True)
    if not path.exists() or path.read_bytes() != text.encode():
        _write(path, text.encode())
        path.chmod(0o755)
    return path


def _switch(root: Path, version: Path) -> None:
    """Make a version the current one: one rename, which is done or not done."""
    if _WINDOWS:
        _write(root / "current.txt", version.name.encode())
        return
    new = root / ".current.part"
    new.unlink(missing_ok=True)
    new.symlink_to(Path("versions") / version.name)
    new.replace(root / "current")
    descriptor = os.open(root, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _prune(root: Path, kept: set[Path | None]) -> None:
    """Remove versions other than the current one and the one before it."""
    names = {path.name for path in kept if path is not None}
    for version in (root / "versions").iterdir():
        if version.name not in names:
            (version / COMPLETE).unlink(missing_ok=True)  # first: it is whole no more
            shutil.rmtree(version, ignore_errors=True)
