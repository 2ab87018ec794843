"""Makes bundles: gathers the files, lists and signs them, and writes one archive."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, cast

from packaging.utils import parse_wheel_filename

from cybersecqwen.core.atomic_folder import atomic_folder, scratch_folder
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.files import atomic_write, sha256_file
from cybersecqwen.release import artifacts, wheels
from cybersecqwen.release.sbom import Artifact, bill_of_materials
from cybersecqwen.release.signing import SigningKey, signature_text
from cybersecqwen.release.split import SplitWriter
from cybersecqwen.release.verifier import Refusal, archive, oms
from cybersecqwen.release.verifier.checking import open_bundle
from cybersecqwen.release.verifier.manifest import (
    FORMAT,
    MANIFEST,
    SIGNATURE,
    UPDATE,
    Manifest,
    Target,
    check_name,
    read_manifest,
)

PRODUCT = "cybersecqwen"
_MAIN = '''"""Runs the verifier of this bundle: python3 BUNDLE verify --key KEY.pem"""

import sys
from pathlib import Path

from verifier.command import main

if __name__ == "__main__":
    bundle = Path(__file__).parent
    sys.exit(main(bundle=bundle if bundle.suffix != ".pyz" else bundle.parent))
'''
_README = """cybersecqwen {version}, bundle of {day}

This file can check and install itself, on a machine with Python {pythons} and no network:

    python3 BUNDLE verify --key SITE.pub.pem
    python3 BUNDLE install --key SITE.pub.pem --to /opt/cybersecqwen
    /opt/cybersecqwen/bin/cybersecqwen doctor

Where it came in parts, verify.pyz beside them is to be run instead. SITE.pub.pem is the public key
of whoever made the bundle; take it from them, not from here. The program that checks is in
verifier/, in plain Python, to be read. A program that came with what it checks proves nothing by
itself: the first time, compare verifier/ with a copy that you trust, or verify with the
`model_signing` command after unpacking. Later bundles are checked by the version that is installed
(`cybersecqwen bundle verify`).
"""

_RUNNABLE = "verify.pyz"  # beside parts, which do not run by themselves


@dataclass(frozen=True)
class BundleContents:
    """What goes into a bundle.

    Attributes:
        package: The project's source folder, or its wheel.
        lock: Lock file of the packages that it needs, pip among them.
        targets: Platform and Python version of each kind of machine.
        day: Day of the bundle.
        models: Folders or files of further models.
        knowledge: Folder of a knowledge base that replaces the one in the package.
        store: Folder of a store of records.
        docs: Folder of documentation.
        licences: Licence files of the project.
        wheels: Folder of packages that need not be fetched again.
        offline: Whether packages come from that folder alone.
    """

    package: Path
    lock: Path
    targets: tuple[tuple[str, str], ...]
    day: date
    models: tuple[Path, ...] = ()
    knowledge: Path | None = None
    store: Path | None = None
    docs: Path | None = None
    licences: tuple[Path, ...] = ()
    wheels: Path | None = None
    offline: bool = False


@dataclass(frozen=True)
class BundleWritten:
    """A bundle that was made.

    Attributes:
        manifest: What it holds.
        files: The files written.
        bytes: Their size together.
        carried: How many of its files are in them; an update leaves out those that are known.
        signed: Whether it is signed.
    """

    manifest: Manifest
    files: tuple[Path, ...]
    bytes: int
    carried: int
    signed: bool


@dataclass
class _Staging:
    """The bundle's tree while it grows."""

    root: Path
    artifacts: list[Artifact] = field(default_factory=list)
    parts: dict[str, str] = field(default_factory=dict)


def create_bundle(
    contents: BundleContents,
    output: Path,
    key: SigningKey | None,
    *,
    since: Path | None = None,
    part_bytes: int = 0,
    say: Callable[[str], None] = lambda _: None,
) -> BundleWritten:
    """Make a bundle.

    Args:
        contents: What goes in.
        output: The file to write; with ``part_bytes`` the folder for the parts.
        key: Who signs; None leaves the bundle unsigned.
        since: An earlier bundle; only what it lacks is carried.
        part_bytes: Largest size of a part; 0 for one file.
        say: Called with each step.

    Raises:
        InputError: Something cannot be used, or a package has no wheel for a target.
    """
    known = read_bundle_manifest(since) if since else None
    output.parent.mkdir(parents=True, exist_ok=True)
    with scratch_folder(output) as scratch:
        staging = _Staging(scratch / "bundle")
        staging.root.mkdir()
        version, targets = _gather(contents, staging, say)
        say("listing and signing")
        manifest = _write_manifest(contents, staging, version, targets)
        if key:
            _sign(staging.root, manifest, key)
        carried = sorted(manifest.files)
        if known:
            carried = [
                p for p in carried if _is_program(p) or known.files.get(p) != manifest.files[p]
            ]
            text = json.dumps({"base": known.sha256, "identity": known.identity})
            (staging.root / UPDATE).write_text(text + "\n", "utf-8", newline="\n")
        own = [name for name in (MANIFEST, SIGNATURE, UPDATE) if (staging.root / name).exists()]
        say("writing")
        listed = [(name, staging.root / name) for name in (*own, *carried)]
        written = _write(output, listed, part_bytes)
    size = sum(path.stat().st_size for path in written)
    return BundleWritten(manifest, tuple(written), size, len(carried), key is not None)


def read_bundle_manifest(path: Path) -> Manifest:
    """Return the manifest of a bundle, or of an installed version, without checking its files.

    Raises:
        InputError: It is no bundle.
    """
    try:
        with open_bundle(path / "bundle" if (path / "bundle").is_dir() else path) as source:
            return read_manifest(b"".join(source.read(MANIFEST)))
    except KeyError as error:
        raise InputError(f"{path}: without {MANIFEST!r}; this is no bundle") from error
    except (Refusal, OSError) as error:
        raise InputError(f"{path}: {error}") from error


def _gather(
    contents: BundleContents, staging: _Staging, say: Callable[[str], None]
) -> tuple[str, list[Target]]:
    """Fill the bundle's tree; return the product's version and the targets."""
    folder = staging.root / "wheels"
    folder.mkdir()
    say("building the package")
    epoch = int(datetime.combine(contents.day, time(), UTC).timestamp())
    own = wheels.build_wheel(contents.package, folder, epoch=epoch)
    version = str(parse_wheel_filename(own.name)[1])
    targets = []
    kept = {own}
    for platform, python in contents.targets:
        say(f"packages for {platform} with Python {python}")
        needed = wheels.needed_on(wheels.read_lock(contents.lock), platform, python)
        chosen = wheels.download(
            needed, platform, python, folder, source=contents.wheels, offline=contents.offline
        )
        if "pip" not in chosen:
            raise InputError(f"{contents.lock}: pip is not in it, and nothing installs without")
        target = Target(platform, python, f"requirements/{platform}-{python}.txt")
        # pip does the installing, from its own wheel; what is installed does not need it.
        installed = {name: wheel for name, wheel in chosen.items() if name != "pip"}
        wheels.write_requirements(target, {PRODUCT: own, **installed}, staging.root)
        targets.append(target)
        kept |= set(chosen.values())
    for wheel in set(folder.iterdir()) - kept:
        wheel.unlink()
    _add_models(contents, staging, own)
    _add_folders(contents, staging)
    _add_licences(contents, staging, kept)
    _add_verifier(staging.root, version, contents, targets)
    text = bill_of_materials(PRODUCT, version, contents.day, kept, staging.artifacts)
    (staging.root / "sbom.cdx.json").write_bytes(text)
    return version, targets


def _add_models(contents: BundleContents, staging: _Staging, own: Path) -> None:
    with TemporaryDirectory() as scratch:
        with zipfile.ZipFile(own) as package:
            package.extractall(scratch)
        for folder in artifacts.shipped_models(Path(scratch)):
            inside = folder.relative_to(scratch).as_posix()
            artifact = artifacts.describe_model(folder, f"wheels/{own.name}!{inside}")
            staging.artifacts.append(artifact)
            staging.parts[f"model {artifact.name}"] = artifact.version
        for folder in artifacts.shipped_data(Path(scratch)):
            inside = folder.relative_to(scratch).as_posix()
            name = f"{folder.parent.name} ({folder.name})"
            staging.artifacts.append(
                artifacts.describe_data(folder, f"wheels/{own.name}!{inside}", name)
            )
            staging.parts[name] = staging.artifacts[-1].sha256[:12]
    for model in contents.models:
        inside = f"models/{model.name}"
        _copy(model, staging.root / inside)
        artifact = artifacts.describe_model(model, inside)
        staging.artifacts.append(artifact)
        staging.parts[f"model {artifact.name}"] = artifact.version or artifact.sha256[:12]


def _add_folders(contents: BundleContents, staging: _Staging) -> None:
    for name, folder in (("knowledge", contents.knowledge), ("store", contents.store)):
        if folder:
            _copy(folder, staging.root / name)
            artifact = artifacts.describe_data(folder, name, name)
            staging.artifacts.append(artifact)
            staging.parts[name] = artifact.version or artifact.sha256[:12]
    if contents.docs:
        _copy(contents.docs, staging.root / "docs")


def _add_licences(contents: BundleContents, staging: _Staging, kept: Iterable[Path]) -> None:
    """Put the licence files of the project and of every package into one folder."""
    folder = staging.root / "licences"
    for path in contents.licences:
        _copy(path, folder / path.name)
    for wheel in sorted(kept):
        name, version, _, _ = parse_wheel_filename(wheel.name)
        with zipfile.ZipFile(wheel) as package:
            for member in sorted(package.namelist()):
                directory, _, file = member.rpartition("/")
                told = ".dist-info" in directory and (
                    "licenses" in directory
                    or file.upper().startswith(("LICENSE", "LICENCE", "NOTICE", "COPYING"))
                )
                if told and file:
                    inner = member.partition(".dist-info/")[2].removeprefix("licenses/")
                    to = folder / f"{name}-{version}" / inner
                    to.parent.mkdir(parents=True, exist_ok=True)
                    to.write_bytes(package.read(member))


def _add_verifier(
    root: Path, version: str, contents: BundleContents, targets: Iterable[Target]
) -> None:
    write_verifier(root)
    pythons = " or ".join(sorted({target.python for target in targets}))
    text = _README.format(version=version, day=contents.day, pythons=pythons)
    (root / "README.txt").write_text(text, "utf-8", newline="\n")


def _is_program(path: str) -> bool:
    """Whether a bundle cannot run by itself without a file."""
    return path == "__main__.py" or path.startswith("verifier/")


def write_verifier(root: Path) -> None:
    """Write the program that checks bundles, to run as ``python3 ROOT``."""
    (root / "verifier").mkdir(parents=True)
    for file in resources.files("cybersecqwen.release.verifier").iterdir():
        if file.name.endswith(".py"):
            (root / "verifier" / file.name).write_bytes(file.read_bytes())
    (root / "__main__.py").write_text(_MAIN, "utf-8", newline="\n")


def _copy(source: Path, to: Path) -> None:
    """Copy a file or a folder, without links: a bundle holds regular files."""
    if not source.exists():
        raise InputError(f"{source}: no such file or folder")
    to.parent.mkdir(parents=True, exist_ok=True)
    try:
        for name, file in oms.files_of(source, set(), symlinks=True):
            destination = to / name if source.is_dir() else to
            destination.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, destination)
    except Refusal as refusal:
        raise InputError(f"{source}: {refusal}") from refusal


def _write_manifest(
    contents: BundleContents, staging: _Staging, version: str, targets: Iterable[Target]
) -> Manifest:
    root = staging.root
    files = []
    for name, path in oms.files_of(root, set(), symlinks=False):
        try:
            check_name(name)
        except Refusal as refusal:
            raise InputError(str(refusal)) from refusal
        files.append({"path": name, "size": path.stat().st_size, "sha256": sha256_file(path)})
    value = {
        "format": FORMAT,
        "name": PRODUCT,
        "version": version,
        "date": contents.day.isoformat(),
        "targets": [vars(target) for target in targets],
        "parts": dict(sorted(staging.parts.items())),
        "files": files,
    }
    data = (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode()
    (root / MANIFEST).write_bytes(data)
    return read_manifest(data)


def _sign(root: Path, manifest: Manifest, key: SigningKey) -> None:
    digests = {path: file.sha256 for path, file in manifest.files.items()}
    digests[MANIFEST] = manifest.sha256
    ignored = sorted({*oms.DEFAULT_IGNORED, SIGNATURE, UPDATE})
    name = f"{PRODUCT}-{manifest.identity}"
    (root / SIGNATURE).write_bytes(signature_text(name, digests, key, ignored=ignored))


def _write(output: Path, files: list[tuple[str, Path]], part_bytes: int) -> list[Path]:
    if not part_bytes:
        with atomic_write(output) as stream:
            archive.write_archive(stream, files)
        return [output]
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise InputError(f"{output}: already there; parts go into a new or empty folder")
    names: list[str] = []
    with TemporaryDirectory() as scratch, atomic_folder(output, _RUNNABLE) as made:

        def open_part(number: int) -> IO[bytes]:
            names.append(f"{output.name}.{number:03}")
            return (made / names[-1]).open("wb")

        with SplitWriter(open_part, part_bytes) as parts:
            archive.write_archive(cast("IO[bytes]", parts), files)
        write_verifier(Path(scratch))
        listed = oms.files_of(Path(scratch), set(), symlinks=False)
        with (made / _RUNNABLE).open("wb") as runnable:
            archive.write_archive(runnable, listed)
    return [output / name for name in (*names, _RUNNABLE)]
