"""The packages of a bundle, for machines of other kinds than the one that makes it.

Versions and digests come from a lock file that holds for all platforms. Which of its lines a
target needs is decided by the target's environment markers here, since pip evaluates markers with
the Python it runs on; ``pip download`` then fetches exactly those, each against its digest.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from packaging.markers import Marker
from packaging.tags import Tag
from packaging.utils import canonicalize_name, parse_wheel_filename

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.files import sha256_file
from cybersecqwen.release.verifier.manifest import Target

_OLDEST_GLIBC, _NEWEST_GLIBC = 5, 28  # minor versions of glibc 2: Debian 10 and later can run them


@dataclass(frozen=True)
class Platform:
    """A kind of machine.

    Attributes:
        tags: Platform tags that its wheels may have, best first.
        markers: Values of the environment markers there.
    """

    tags: tuple[str, ...]
    markers: dict[str, str]


def _linux(machine: str) -> Platform:
    glibc = [f"manylinux_2_{minor}_{machine}" for minor in range(_NEWEST_GLIBC, _OLDEST_GLIBC, -1)]
    old = [f"{name}_{machine}" for name in ("manylinux2014", "manylinux2010", "manylinux1")]
    return Platform((*glibc, *old, f"linux_{machine}"), _markers("linux", "Linux", machine))


def _markers(sys_platform: str, system: str, machine: str) -> dict[str, str]:
    return {
        "os_name": "nt" if sys_platform == "win32" else "posix",
        "sys_platform": sys_platform,
        "platform_system": system,
        "platform_machine": machine,
        "platform_release": "",
        "platform_version": "",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "extra": "",
    }


PLATFORMS = {
    "linux-x86_64": _linux("x86_64"),
    "linux-arm64": _linux("aarch64"),
    "macos-arm64": Platform(
        (
            *(f"macosx_{version}_0_arm64" for version in range(14, 10, -1)),
            *(f"macosx_{version}_0_universal2" for version in range(14, 10, -1)),
            *(f"macosx_10_{minor}_universal2" for minor in range(16, 8, -1)),
        ),
        _markers("darwin", "Darwin", "arm64"),
    ),
    "windows-x86_64": Platform(("win_amd64",), _markers("win32", "Windows", "AMD64")),
}


@dataclass(frozen=True)
class LockedPackage:
    """One line of a lock file.

    Attributes:
        name: Normalised name.
        version: Exact version.
        marker: Where it is needed; None: everywhere.
        digests: SHA-256 of each file that may be taken.
    """

    name: str
    version: str
    marker: Marker | None
    digests: tuple[str, ...]


def read_lock(path: Path) -> list[LockedPackage]:
    """Read a requirements file that names exact versions and digests.

    Raises:
        InputError: A line names no version or no digest.
    """
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    packages = []
    for line in re.sub(r"\\\n", " ", text).splitlines():
        words = line.partition("#")[0].strip()
        if not words:
            continue
        requirement, *digests = re.split(r"\s+--hash=sha256:", words)
        found = re.fullmatch(
            r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;]+)\s*(?:;(.*))?", requirement
        )
        if not found or not digests:
            raise InputError(f"{path}: no exact version with digests: {requirement}")
        marker = Marker(found[3]) if found[3] else None
        packages.append(
            LockedPackage(canonicalize_name(found[1]), found[2], marker, tuple(digests))
        )
    return packages


def needed_on(packages: Iterable[LockedPackage], platform: str, python: str) -> list[LockedPackage]:
    """Return the packages that a target needs.

    Args:
        packages: A lock file's.
        platform: One of ``PLATFORMS``.
        python: A Python version such as ``3.12``.
    """
    environment = {
        **PLATFORMS[platform].markers,
        "python_version": python,
        "python_full_version": f"{python}.0",
        "implementation_version": f"{python}.0",
    }
    return [p for p in packages if p.marker is None or p.marker.evaluate(environment)]


def parse_target(text: str) -> tuple[str, str]:
    """Return platform and Python of a target such as ``linux-x86_64:3.12``.

    Raises:
        InputError: There is no such platform, or no Python version.
    """
    platform, _, python = text.partition(":")
    if platform not in PLATFORMS:
        raise InputError(f"{text}: no platform {platform!r}; known are {', '.join(PLATFORMS)}")
    if not re.fullmatch(r"3\.\d+", python):
        raise InputError(f"{text}: name a Python version, as in {platform}:3.12")
    return platform, python


def build_wheel(source: Path, folder: Path, *, epoch: int) -> Path:
    """Build the project's own wheel from its source, the same bytes each time.

    Args:
        source: Folder of ``pyproject.toml``, or a wheel that is built already.
        folder: Where the wheel goes.
        epoch: Seconds since 1970 that files in it are dated with.

    Raises:
        InputError: It cannot be built.
    """
    if source.suffix == ".whl":
        data = source.read_bytes()
        (folder / source.name).write_bytes(data)
        return folder / source.name
    with TemporaryDirectory() as scratch:
        command = ["pip", "wheel", "--no-deps", "--wheel-dir", scratch, str(source)]
        _run(command, {"SOURCE_DATE_EPOCH": str(epoch)}, f"{source}: no wheel can be built")
        built = sorted(Path(scratch).glob("*.whl"))
        return build_wheel(built[0], folder, epoch=epoch)


def download(
    packages: Sequence[LockedPackage],
    platform: str,
    python: str,
    folder: Path,
    *,
    source: Path | None = None,
    offline: bool = False,
) -> dict[str, Path]:
    """Fetch one wheel a package for a target.

    Args:
        packages: What is needed there.
        platform: One of ``PLATFORMS``.
        python: A Python version such as ``3.12``.
        folder: Where the wheels go; those that lie there already are not fetched again.
        source: Folder of wheels to take from before any index.
        offline: Whether no index is asked.

    Returns:
        The wheel of each package, by normalised name.

    Raises:
        InputError: A package has no wheel for the target, or cannot be fetched.
    """
    accepted = target_tags(platform, python)
    with TemporaryDirectory() as scratch:
        lock = Path(scratch) / "requirements.txt"
        lock.write_text("".join(requirement_line(p.name, p.version, p.digests) for p in packages))
        minor = python.replace(".", "")
        command = [
            *("pip", "download", "--no-deps", "--require-hashes", "--only-binary", ":all:"),
            *("--dest", str(folder), "--find-links", str(folder), "--requirement", str(lock)),
            *(("--find-links", str(source)) if source else ()),
            *(("--no-index",) if offline else ()),
            *("--implementation", "cp", "--python-version", python),
            *(w for abi in (f"cp{minor}", "abi3", "none") for w in ("--abi", abi)),
            *(w for tag in PLATFORMS[platform].tags for w in ("--platform", tag)),
        ]
        _run(command, {}, f"packages for {platform} with Python {python}")
    chosen: dict[str, Path] = {}
    wanted = {(p.name, p.version): set(p.digests) for p in packages}
    for wheel in sorted(folder.glob("*.whl")):
        name, version, _, tags = parse_wheel_filename(wheel.name)
        digests = wanted.get((name, str(version)), set())
        if tags & accepted and sha256_file(wheel) in digests:
            chosen[name] = wheel
    missing = sorted({p.name for p in packages} - chosen.keys())
    if missing:
        raise InputError(f"no wheel for {platform} with Python {python}: {', '.join(missing)}")
    return chosen


def target_tags(platform: str, python: str) -> frozenset[Tag]:
    """Return all wheel tags that a target accepts."""
    minor = int(python.partition(".")[2])
    platforms = (*PLATFORMS[platform].tags, "any")
    tags = {Tag(f"cp3{minor}", f"cp3{minor}", p) for p in platforms}
    tags |= {Tag(f"cp3{n}", "abi3", p) for n in range(2, minor + 1) for p in platforms}
    pythons = ["py3", f"cp3{minor}", *(f"py3{n}" for n in range(minor + 1))]
    tags |= {Tag(interpreter, "none", p) for interpreter in pythons for p in platforms}
    return frozenset(tags)


def requirement_line(name: str, version: str, digests: Iterable[str]) -> str:
    """Return one line of a requirements file with digests."""
    hashes = "".join(f" --hash=sha256:{digest}" for digest in sorted(digests))
    return f"{name}=={version}{hashes}\n"


def write_requirements(target: Target, chosen: dict[str, Path], root: Path) -> None:
    """Write the list of exactly those wheels that a target installs."""
    lines = []
    for name, wheel in sorted(chosen.items()):
        version = str(parse_wheel_filename(wheel.name)[1])
        lines.append(requirement_line(name, version, [sha256_file(wheel)]))
    path = root / target.requirements
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(lines), "utf-8", newline="\n")


def _run(command: Sequence[str], environment: dict[str, str], what: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command, "--quiet", "--disable-pip-version-check"],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        check=False,
    )
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise InputError(f"{what}: {' '.join(errors or done.stderr.splitlines())[-800:]}")
