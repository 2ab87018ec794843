"""All checks on a bundle before anything of it is used."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from . import archive, oms
from .errors import Refusal
from .manifest import MANIFEST, SIGNATURE, UPDATE, File, Manifest, check_name, read_manifest

_MOST_TEXT_BYTES = 1 << 26


class BundleSource(Protocol):
    """Where a bundle's files are read from."""

    def sizes(self) -> Mapping[str, int]:
        """Return the bytes of each file, by path."""

    def read(self, name: str) -> Iterator[bytes]:
        """Yield a file's content in pieces."""


class ArchiveSource:
    """The files of an archive."""

    def __init__(self, stream: IO[bytes], size: int) -> None:
        self._stream = stream
        entries = archive.read_entries(stream, size)
        self._entries = {entry.name: entry for entry in entries}
        if len({name.casefold() for name in self._entries}) != len(entries):
            raise Refusal("added: the archive holds a file twice")

    def sizes(self) -> Mapping[str, int]:
        """Return the bytes of each file, by path."""
        return {name: entry.size for name, entry in self._entries.items()}

    def read(self, name: str) -> Iterator[bytes]:
        """Yield a file's content in pieces."""
        return archive.read_content(self._stream, self._entries[name])


class FolderSource:
    """The files of a folder, without links."""

    def __init__(self, path: Path) -> None:
        self._files = dict(oms.files_of(path, set(), symlinks=False))

    def sizes(self) -> Mapping[str, int]:
        """Return the bytes of each file, by path."""
        return {name: path.stat().st_size for name, path in self._files.items()}

    def read(self, name: str) -> Iterator[bytes]:
        """Yield a file's content in pieces."""
        with self._files[name].open("rb") as stream:
            while chunk := stream.read(1 << 20):
                yield chunk


@dataclass(frozen=True)
class CheckedBundle:
    """A bundle all of whose files were compared with its manifest and signature.

    Attributes:
        manifest: What it holds.
        signer: Who signed it; empty if no signature was checked.
        carried: Files that it carries itself, manifest and signature among them.
        from_base: Files that an update takes from the version that it is made for.
        base: Digest of that version's manifest; empty for a whole bundle.
    """

    manifest: Manifest
    signer: str
    carried: tuple[str, ...]
    from_base: tuple[File, ...]
    base: str


@contextmanager
def open_bundle(path: Path) -> Iterator[BundleSource]:
    """Open a bundle: a file, numbered parts, or a folder that one was unpacked into."""
    if path.is_dir() and (path / MANIFEST).exists():
        yield FolderSource(path)
        return
    with archive.open_archive(path) as (stream, size):
        yield ArchiveSource(stream, size)


def check_bundle(
    source: BundleSource, trust: oms.Trust | None, *, allow_unsigned: bool = False
) -> CheckedBundle:
    """Check everything about a bundle.

    Args:
        source: Its files.
        trust: Whose signature is believed; None: none.
        allow_unsigned: Accept a bundle whose signature is not checked, for want of a signature
            or of a key that is trusted.

    Raises:
        Refusal: Something is wrong; the message says what.
    """
    sizes = source.sizes()
    for name in sizes:
        check_name(name)
    if MANIFEST not in sizes:
        raise Refusal(f"missing: {MANIFEST!r}; this is no bundle")
    data = _text(source, MANIFEST, sizes)
    statement = _check_signature(source, sizes, trust, allow_unsigned=allow_unsigned)
    if statement and statement.digests.get(MANIFEST) != hashlib.sha256(data).hexdigest():
        raise Refusal(f"changed: {MANIFEST!r}")
    manifest = read_manifest(data)
    if statement:
        _check_statement(statement, manifest)
    base = _base(source, sizes)
    absent = []
    for path, file in sorted(manifest.files.items()):
        if path in sizes:
            check_file(source, file, sizes[path])
        elif base:
            absent.append(file)
        else:
            raise Refusal(f"missing: {path!r}")
    known = {*manifest.files, MANIFEST, SIGNATURE, *([UPDATE] if base else [])}
    added = sorted(sizes.keys() - known)
    if added:
        raise Refusal(f"added: {added[0]!r}")
    signer = statement.signer if statement else ""
    return CheckedBundle(manifest, signer, tuple(sorted(sizes)), tuple(absent), base)


def check_file(source: BundleSource, file: File, size: int) -> None:
    """Compare a file with its line in the manifest."""
    if size != file.size:
        raise Refusal(f"changed: {file.path!r} has {size:,} bytes, not {file.size:,}")
    digest = hashlib.sha256()
    for chunk in source.read(file.path):
        digest.update(chunk)
    if digest.hexdigest() != file.sha256:
        raise Refusal(f"changed: {file.path!r}")


def _check_signature(
    source: BundleSource, sizes: Mapping[str, int], trust: oms.Trust | None, *, allow_unsigned: bool
) -> oms.Statement | None:
    trusted = trust is not None and (trust.keys or trust.authorities)
    if SIGNATURE not in sizes:
        if allow_unsigned:
            return None
        raise Refusal(f"unsigned: there is no {SIGNATURE!r}")
    if trust is None or not trusted:
        if allow_unsigned:
            return None
        raise Refusal("no key or certificate is trusted here, so no signature can be checked")
    return oms.read_signature(_text(source, SIGNATURE, sizes), trust)


def _check_statement(statement: oms.Statement, manifest: Manifest) -> None:
    """Require that signature and manifest say the same of the same files."""
    if statement.hash_name != "sha256" or statement.shard_bytes or statement.symlinks:
        raise Refusal("the signature is not over whole files by SHA-256")
    for name, digest in statement.digests.items():
        if name != MANIFEST and name not in manifest.files:
            raise Refusal(f"the signature names a file that {MANIFEST} does not list: {name!r}")
        if name != MANIFEST and manifest.files[name].sha256 != digest:
            raise Refusal(f"signature and {MANIFEST} differ about {name!r}")
    unsigned = sorted(manifest.files.keys() - statement.digests.keys())
    if unsigned:
        raise Refusal(f"unsigned: {unsigned[0]!r}")


def _base(source: BundleSource, sizes: Mapping[str, int]) -> str:
    """Return the manifest's digest of the version that an update is made for, else nothing."""
    if UPDATE not in sizes:
        return ""
    base = oms.json_object(_text(source, UPDATE, sizes), UPDATE).get("base")
    if not isinstance(base, str) or not base:
        raise Refusal(f"{UPDATE} does not name the version that it updates")
    return base


def _text(source: BundleSource, name: str, sizes: Mapping[str, int]) -> bytes:
    if sizes[name] > _MOST_TEXT_BYTES:
        raise Refusal(f"{name!r} is too large: {sizes[name]:,} bytes")
    return b"".join(source.read(name))
