"""What differs between two bundles."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from cybersecqwen.release.verifier.manifest import Manifest


@dataclass(frozen=True)
class Change:
    """One difference.

    Attributes:
        what: ``package``, ``part`` or ``file``.
        name: Its name or path.
        before: Its version or size in the first bundle; empty where it is not there.
        after: The same of the second.
    """

    what: str
    name: str
    before: str
    after: str


@dataclass(frozen=True)
class BundleDifference:
    """The differences between two bundles.

    Attributes:
        before: Identity of the first.
        after: Identity of the second.
        newer: Whether the second is newer, so that it installs over the first.
        changes: All differences: packages, parts, then other files.
        carried_bytes: What an update from the first to the second carries.
    """

    before: str
    after: str
    newer: bool
    changes: tuple[Change, ...]
    carried_bytes: int


def compare_manifests(before: Manifest, after: Manifest) -> BundleDifference:
    """Compare two bundles by their manifests."""
    changes = [
        *_changes("package", _packages(before), _packages(after)),
        *_changes("part", before.parts, after.parts),
        *_changes("file", _files(before), _files(after)),
    ]
    carried = sum(file.size for path, file in after.files.items() if before.files.get(path) != file)
    newer = after.age_key > before.age_key
    return BundleDifference(before.identity, after.identity, newer, tuple(changes), carried)


def _changes(what: str, before: dict[str, str], after: dict[str, str]) -> list[Change]:
    return [
        Change(what, name, before.get(name, ""), after.get(name, ""))
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    ]


def _packages(manifest: Manifest) -> dict[str, str]:
    """Return the versions of each package, by name."""
    found: dict[str, set[str]] = {}
    for path in manifest.files:
        if path.startswith("wheels/"):
            try:
                name, version, _, _ = parse_wheel_filename(PurePosixPath(path).name)
            except InvalidWheelFilename:
                continue
            found.setdefault(name, set()).add(str(version))
    return {name: ", ".join(sorted(versions)) for name, versions in found.items()}


def _files(manifest: Manifest) -> dict[str, str]:
    return {
        path: f"{file.size:,} bytes, sha256 {file.sha256[:12]}"
        for path, file in manifest.files.items()
        if not path.startswith("wheels/")
    }
