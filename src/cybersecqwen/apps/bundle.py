"""Bundles for machines without a network: make, check, install, compare, and keys."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cybersecqwen.core.errors import InputError, require_extra
from cybersecqwen.release.verifier import Refusal, command, installing, oms
from cybersecqwen.release.verifier.checking import check_bundle, open_bundle

if TYPE_CHECKING:
    from cybersecqwen.release.diff import BundleDifference


@dataclass(frozen=True)
class BundleJob:
    """A bundle to make; what is not said is taken from the source folder and this machine.

    Attributes:
        output: The file, or with ``part_bytes`` the folder.
        package: Source folder or wheel of the project; None: the folder this runs from.
        targets: Kinds of machine, as ``linux-x86_64:3.12``; empty: this one.
        day: Day of the bundle; None: ``SOURCE_DATE_EPOCH``, else today, in UTC.
        key: Private key that signs.
        password: What the key is encrypted with.
        chain: Certificate of the key and those that signed it.
        models: Further models.
        knowledge: Knowledge base other than the one in the package.
        store: Store of records.
        docs: Documentation; None: that of the source folder.
        wheels: Folder of packages that need not be fetched.
        offline: Whether packages come from there alone.
        lock: Lock file; None: the one in the package.
        since: An earlier bundle; only what it lacks is carried.
        part_bytes: Largest size of a part; 0: one file.
    """

    output: Path
    package: Path | None = None
    targets: Sequence[str] = ()
    day: date | None = None
    key: Path | None = None
    password: str | None = None
    chain: Sequence[Path] = ()
    models: Sequence[Path] = ()
    knowledge: Path | None = None
    store: Path | None = None
    docs: Path | None = None
    wheels: Path | None = None
    offline: bool = False
    lock: Path | None = None
    since: Path | None = None
    part_bytes: int = 0


@dataclass(frozen=True)
class BundleSummary:
    """A bundle that was made.

    Attributes:
        bundle: Its identity.
        files: The files written.
        bytes: Their size together.
        carried: Files that it carries.
        listed: Files that it consists of; an update carries fewer.
        signed_by: Fingerprint of the key; empty if it is not signed.
        targets: What it can be installed on.
        verifier_sha256: Digest of each file of the program that travels inside, to compare.
    """

    bundle: str
    files: list[str]
    bytes: int
    carried: int
    listed: int
    signed_by: str
    targets: list[str]
    verifier_sha256: dict[str, str] = field(default_factory=dict)


def source_folder() -> Path | None:
    """Return the project's source folder that this package runs from; None if installed."""
    folder = Path(__file__).parents[3]
    return folder if (folder / "pyproject.toml").is_file() else None


def make_bundle(job: BundleJob, say: Callable[[str], None] = lambda _: None) -> BundleSummary:
    """Make a bundle.

    Raises:
        InputError: Something cannot be used.
        MissingExtraError: The ``release`` extra is not installed.
    """
    require_extra("release", "cryptography", "cyclonedx", "packaging")
    from cybersecqwen.release.create import BundleContents, create_bundle
    from cybersecqwen.release.signing import SigningKey
    from cybersecqwen.release.wheels import parse_target

    source = source_folder()
    package = job.package or source
    if package is None:
        raise InputError("name the project's source folder or wheel: --package PATH")
    beside = package if package.is_dir() else source
    docs = job.docs or (beside / "docs" if beside and (beside / "docs").is_dir() else None)
    licences = [beside / name for name in ("LICENSE", "NOTICE")] if beside else []
    here = f"{installing.this_platform()}:{installing.this_python()}"
    key = SigningKey.read(job.key, job.password, job.chain) if job.key else None
    lock = job.lock or Path(
        str(resources.files("cybersecqwen.release") / "requirements/bundle.txt")
    )
    contents = BundleContents(
        package=package,
        lock=lock,
        targets=tuple(parse_target(target) for target in job.targets or [here]),
        day=job.day or _today(),
        models=tuple(job.models),
        knowledge=job.knowledge,
        store=job.store,
        docs=docs,
        licences=tuple(path for path in licences if path.is_file()),
        wheels=job.wheels,
        offline=job.offline,
    )
    done = create_bundle(
        contents, job.output, key, since=job.since, part_bytes=job.part_bytes, say=say
    )
    manifest = done.manifest
    return BundleSummary(
        bundle=manifest.identity,
        files=[str(path) for path in done.files],
        bytes=done.bytes,
        carried=done.carried,
        listed=len(manifest.files),
        signed_by=key.fingerprint if key else "",
        targets=[f"{target.platform}:{target.python}" for target in manifest.targets],
        verifier_sha256={
            path: file.sha256
            for path, file in manifest.files.items()
            if path.startswith("verifier/") or path == "__main__.py"
        },
    )


def _today() -> date:
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    now = datetime.fromtimestamp(int(epoch), UTC) if epoch else datetime.now(UTC)
    return now.date()


def read_trust(
    keys: Sequence[Path], authorities: Sequence[Path], at: str | None = None
) -> oms.Trust:
    """Return whose signatures are believed.

    Args:
        keys: PEM files of public keys.
        authorities: PEM files of certificates; what they signed is believed too.
        at: Day on which certificates must be valid, as ``2026-11-30``; None: today.

    Raises:
        InputError: A file cannot be read, or the day is none.
    """
    try:
        moment = datetime.fromisoformat(at).replace(tzinfo=UTC) if at else None
        return oms.Trust.of_files(keys, authorities, moment)
    except (Refusal, ValueError) as error:
        raise InputError(str(error)) from error


def verify_bundle(path: Path, trust: oms.Trust, *, allow_unsigned: bool = False) -> dict[str, Any]:
    """Check a bundle and return what the verifier that travels inside would say of it.

    Raises:
        InputError: It is refused; the message says why.
    """
    try:
        with open_bundle(path) as source:
            checked = check_bundle(source, trust, allow_unsigned=allow_unsigned)
    except (Refusal, OSError) as error:
        raise InputError(f"{path}: refused: {error}") from error
    return command.describe(checked)


def install_bundle(
    bundle: Path,
    root: Path,
    *,
    keys: Sequence[Path] = (),
    authorities: Sequence[Path] = (),
    at: str | None = None,
    allow_unsigned: bool = False,
    allow_older: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Check a bundle, install it beside the version that runs, and switch to it.

    Args:
        bundle: The bundle.
        root: Folder of the installation. Without ``keys`` and ``authorities`` those that it
            keeps from before are trusted.
        keys: Public keys that are trusted, PEM.
        authorities: Certificates that are trusted, PEM.
        at: Day on which certificates must be valid; None: today.
        allow_unsigned: Install a bundle whose signature is not checked.
        allow_older: Install one that is older than what is installed.
        say: Called with each step.

    Raises:
        InputError: It is refused; nothing was written.
    """
    try:
        return command.install_files(
            bundle,
            root.absolute(),
            keys=keys,
            authorities=authorities,
            at=at,
            allow_unsigned=allow_unsigned,
            allow_older=allow_older,
            say=say,
        )
    except (Refusal, OSError) as error:
        raise InputError(f"{bundle}: refused: {error}") from error


def diff_bundles(before: Path, after: Path) -> BundleDifference:
    """Compare two bundles, or installed versions, by what they say of themselves.

    Raises:
        InputError: One of them is no bundle.
    """
    require_extra("release", "cryptography", "cyclonedx", "packaging")
    from cybersecqwen.release.create import read_bundle_manifest
    from cybersecqwen.release.diff import compare_manifests

    return compare_manifests(read_bundle_manifest(before), read_bundle_manifest(after))


def make_key_pair(path: Path, curve: str = "p256", password: str | None = None) -> dict[str, str]:
    """Make the key pair that a site signs with; return its files and the fingerprint.

    Raises:
        InputError: One of the files is there already.
    """
    require_extra("release", "cryptography")
    from cybersecqwen.release.signing import SigningKey, make_key

    private, public = make_key(path, curve, password)
    fingerprint = SigningKey.read(private, password).fingerprint
    return {"private": str(private), "public": str(public), "fingerprint": fingerprint}


def sign_model(
    path: Path,
    signature: Path,
    key: Path,
    *,
    password: str | None = None,
    chain: Sequence[Path] = (),
) -> str:
    """Sign a file or folder by OpenSSF Model Signing; return the key's fingerprint.

    Raises:
        InputError: The key or the files cannot be used.
    """
    require_extra("release", "cryptography")
    from cybersecqwen.release.signing import SigningKey, sign_files

    signer = SigningKey.read(key, password, chain)
    sign_files(path, signature, signer)
    return signer.fingerprint


def verify_signed_files(
    path: Path, signature: Path, trust: oms.Trust, *, ignore_unsigned: bool = False
) -> oms.Statement:
    """Check a file or folder against a signature by OpenSSF Model Signing, whoever made it.

    Raises:
        InputError: It is refused; the message says why.
    """
    try:
        return oms.verify_files(path, signature, trust, ignore_unsigned=ignore_unsigned)
    except (Refusal, OSError) as error:
        raise InputError(f"{path}: refused: {error}") from error


def unpack_bundle(bundle: Path, folder: Path, trust: oms.Trust, *, allow_unsigned: bool) -> int:
    """Check a bundle and write its files into a new folder; return how many.

    Raises:
        InputError: It is refused, or the folder is there already.
    """
    if folder.exists():
        raise InputError(f"{folder}: already there")
    try:
        with open_bundle(bundle) as source:
            check_bundle(source, trust, allow_unsigned=allow_unsigned)
            names = sorted(source.sizes())
            part = folder.with_name(f".{folder.name}.part")
            shutil.rmtree(part, ignore_errors=True)
            for name in names:
                path = part / name
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("wb") as stream:
                    stream.writelines(source.read(name))
            part.rename(folder)
    except (Refusal, OSError) as error:
        raise InputError(f"{bundle}: refused: {error}") from error
    return len(names)
