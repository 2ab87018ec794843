"""``bundle.json``: what a bundle holds, for which machines, and of what date."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from datetime import date as day_of
from typing import Any

from . import oms
from .errors import Refusal

MANIFEST, SIGNATURE, UPDATE = "bundle.json", "bundle.sig", "update.json"
FORMAT = "cybersecqwen-bundle/1"
# Names that some file system cannot hold, or takes for something else.
_UNSAFE = re.compile(
    r'[\\:*?"<>|\x00-\x1f\x7f]|[. ]$|^(con|prn|aux|nul|com\d|lpt\d)(\.|$)', re.IGNORECASE
)
_HEX = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class File:
    """One file of a bundle.

    Attributes:
        path: Where, from the bundle's root, separated by ``/``.
        size: Bytes.
        sha256: Hexadecimal digest of its content.
    """

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Target:
    """A kind of machine that the bundle can be installed on.

    Attributes:
        platform: System and processor, as ``linux-x86_64``.
        python: Version of Python, as ``3.12``.
        requirements: The bundle's file that lists the packages to install there, with digests.
    """

    platform: str
    python: str
    requirements: str


@dataclass(frozen=True)
class Manifest:
    """What a bundle says of itself.

    Attributes:
        name: Name of what is installed.
        version: Its version.
        date: Day of the bundle; of two with one version, the later one is newer.
        targets: Machines that it can be installed on.
        parts: Facts about its models, knowledge base and so on, for ``info``.
        files: All its files but this manifest and the signature, by path.
        sha256: Digest of the manifest itself, which stands for the whole bundle.
    """

    name: str
    version: str
    date: day_of
    targets: tuple[Target, ...]
    parts: dict[str, Any]
    files: dict[str, File]
    sha256: str = field(default="")

    @property
    def identity(self) -> str:
        """A name for this bundle that no other has."""
        return f"{self.version}-{self.date:%Y%m%d}-{self.sha256[:12]}"

    @property
    def age_key(self) -> tuple[tuple[tuple[bool, int, str], ...], day_of]:
        """What orders bundles from older to newer: version, then date."""
        pieces = re.findall(r"(\d+)|([a-z]+)", self.version)
        # A release follows its own pre-releases: the end of a version counts as a number.
        numbers = tuple((bool(n), int(n or 0), word) for n, word in pieces)
        return (*numbers, (True, -1, "")), self.date


def read_manifest(data: bytes) -> Manifest:
    """Read a manifest, strictly.

    Raises:
        Refusal: It is none, or lists files twice or outside the bundle's folder.
    """
    value = oms.json_object(data, MANIFEST)
    if value.get("format") != FORMAT:
        raise Refusal(f"{MANIFEST} has format {value.get('format')!r}; this program reads {FORMAT}")
    try:
        files = [File(**entry) for entry in value["files"]]
        manifest = Manifest(
            name=str(value["name"]),
            version=str(value["version"]),
            date=day_of.fromisoformat(value["date"]),
            targets=tuple(Target(**entry) for entry in value["targets"]),
            parts=dict(value["parts"]),
            files={file.path: file for file in files},
            sha256=hashlib.sha256(data).hexdigest(),
        )
        for file in files:
            check_name(file.path)
            if file.size < 0 or not _HEX.fullmatch(file.sha256):
                raise Refusal(f"{MANIFEST}: size or digest of {file.path!r}")
    except (KeyError, TypeError, ValueError) as error:
        raise Refusal(f"{MANIFEST} is not as it should be: {error}") from None
    if len({path.casefold() for path in manifest.files}) != len(files):
        raise Refusal(f"{MANIFEST} lists a file twice")
    if manifest.files.keys() & {MANIFEST, SIGNATURE, UPDATE}:
        raise Refusal(f"{MANIFEST} lists itself, the signature or {UPDATE}")
    unlisted = {target.requirements for target in manifest.targets} - manifest.files.keys()
    if unlisted:
        raise Refusal(f"{MANIFEST} names a list of packages that it lacks: {min(unlisted)}")
    return manifest


def check_name(name: str) -> None:
    """Refuse a path that leaves the bundle's folder, or that some system cannot hold."""
    oms.check_path(name)
    for part in name.split("/"):
        if _UNSAFE.search(part):
            raise Refusal(f"a file name that is not allowed in a bundle: {name!r}")
