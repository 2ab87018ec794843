"""Whether a bundle's packages are complete for every platform and Python, with no index at hand.

    python scripts/check_wheels.py [--target linux-arm64:3.13 ...] [--wheels FOLDER]

For each target the wheels of the lock file are fetched. From them alone pip must then be able to
install the lock file's list, and uv to resolve the project's own requirements with the target's
markers. Needs the ``release`` extra and uv.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from cybersecqwen.release.verifier.manifest import Target
from cybersecqwen.release.wheels import (
    PLATFORMS,
    download,
    needed_on,
    parse_target,
    read_lock,
    write_requirements,
)

ROOT = Path(__file__).parent.parent
LOCK = ROOT / "src" / "cybersecqwen" / "release" / "requirements" / "bundle.txt"
EXTRAS = ("serve", "monitor")
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
_UV_PLATFORMS = {
    "linux-x86_64": "x86_64-manylinux_2_28",
    "linux-arm64": "aarch64-manylinux_2_28",
    "macos-arm64": "aarch64-apple-darwin",
    "windows-x86_64": "x86_64-pc-windows-msvc",
}


def check(platform: str, python: str, fetched: Path | None) -> str:
    """Fetch a target's wheels and install from them alone, as a trial; return what failed."""
    packages = needed_on(read_lock(LOCK), platform, python)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        chosen = download(packages, platform, python, folder, source=fetched)
        if fetched:
            for wheel in chosen.values():
                if not (fetched / wheel.name).exists():
                    shutil.copyfile(wheel, fetched / wheel.name)
        for wheel in folder.glob("*.whl"):
            if wheel not in chosen.values():
                wheel.unlink()
        size = sum(wheel.stat().st_size for wheel in chosen.values()) / 1e6
        print(f"{platform}:{python}: {len(chosen)} wheels, {size:.1f} MB", end="", flush=True)
        return _trial(platform, python, folder, chosen) or _resolved(platform, python, folder)


def _trial(platform: str, python: str, folder: Path, chosen: dict[str, Path]) -> str:
    target = Target(platform, python, "requirements.txt")
    write_requirements(target, chosen, folder)
    minor = python.replace(".", "")
    return _failure(
        [
            *(sys.executable, "-m", "pip", "install", "--dry-run", "--no-index", "--no-deps"),
            *("--ignore-requires-python", "--require-hashes", "--only-binary", ":all:", "--quiet"),
            *("--disable-pip-version-check", "--target", str(folder / "site")),
            *("--find-links", str(folder), "--requirement", str(folder / "requirements.txt")),
            *("--implementation", "cp", "--python-version", python),
            *(w for abi in (f"cp{minor}", "abi3", "none") for w in ("--abi", abi)),
            *(w for tag in PLATFORMS[platform].tags for w in ("--platform", tag)),
        ]
    )


def _resolved(platform: str, python: str, folder: Path) -> str:
    return _failure(
        [
            *("uv", "pip", "compile", "--no-index", "--find-links", str(folder), "--quiet"),
            *("--python-platform", _UV_PLATFORMS[platform], "--python-version", python),
            *("--only-binary", ":all:", str(ROOT / "pyproject.toml"), "--no-header"),
            *(word for extra in EXTRAS for word in ("--extra", extra)),
            *("--output-file", str(folder / "resolved.txt")),
        ]
    )


def _failure(command: list[str]) -> str:
    # uv takes a Mac to be of version 13 unless it is told; ours are from 14 on.
    environment = {**os.environ, "MACOSX_DEPLOYMENT_TARGET": "14.0"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    return "" if done.returncode == 0 else f"{command[0]}: {done.stderr.strip()[-400:]}"


def main() -> int:
    """Check; 1 if a target's packages are not complete."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", nargs="+", metavar="PLATFORM:PYTHON")
    parser.add_argument("--wheels", type=Path, help="folder that keeps what was fetched")
    arguments = parser.parse_args()
    every = [f"{platform}:{python}" for platform in PLATFORMS for python in PYTHONS]
    if arguments.wheels:
        arguments.wheels.mkdir(parents=True, exist_ok=True)
    failed = 0
    for text in arguments.target or every:
        problem = check(*parse_target(text), arguments.wheels)
        failed += bool(problem)
        print(f": {problem or 'complete'}", flush=True)
    print(f"{len(arguments.target or every)} targets, {failed} not complete")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
