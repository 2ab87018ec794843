"""OpenSSF Model Signing v1.0: reads a signature and compares files with what it signs.

A signature is a Sigstore bundle with a DSSE envelope around an in-toto statement that lists one
digest a file. The methods ``key`` and ``certificate`` are verified here; ``sigstore`` needs a
transparency log, so it is refused. Section numbers are the specification's.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from . import certificates
from .certificates import Certificate, PublicKey
from .errors import Refusal

MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://model_signing/signature/v1.0"
ALONE = "."  # what the reference implementation calls a file that was signed without a folder
DEFAULT_IGNORED = (".git", ".gitattributes", ".github", ".gitignore")
HASHES = {"sha256": "sha256", "blake2b": "blake2b"}
_MOST_SIGNATURE_BYTES = 1 << 27
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Trust:
    """Whose signatures are believed.

    Attributes:
        keys: Public keys.
        authorities: Certificates; what they signed is believed too.
        at: Time at which certificates must be valid; now, if None.
    """

    keys: tuple[PublicKey, ...] = ()
    authorities: tuple[Certificate, ...] = ()
    at: datetime | None = None

    @classmethod
    def of_files(
        cls, keys: Iterable[Path] = (), authorities: Iterable[Path] = (), at: datetime | None = None
    ) -> Trust:
        """Read keys and certificates from PEM files."""
        return cls(
            tuple(
                certificates.public_key(der) for path in keys for der in _pem(path, "PUBLIC KEY")
            ),
            tuple(
                certificates.certificate(der)
                for path in authorities
                for der in _pem(path, "CERTIFICATE")
            ),
            at,
        )


def _pem(path: Path, label: str) -> list[bytes]:
    try:
        blocks = certificates.read_pem(path.read_bytes(), label)
    except OSError as error:
        raise Refusal(f"{path}: cannot be read: {error.strerror}") from None
    if not blocks:
        raise Refusal(f"{path}: holds no {label} in PEM form")
    return blocks


@dataclass(frozen=True)
class Statement:
    """What a verified signature says.

    Attributes:
        name: Name of what is signed; for people only.
        digests: Hexadecimal digest of each file, or of each shard ``PATH:START:END``.
        hash_name: Hash of these, as hashlib calls it.
        shard_bytes: Length of a shard; 0 where files are hashed whole.
        symlinks: Whether links were followed.
        ignored: Paths that are not signed.
        signer: Who signed, for messages.
    """

    name: str
    digests: dict[str, str]
    hash_name: str
    shard_bytes: int
    symlinks: bool
    ignored: tuple[str, ...]
    signer: str = field(default="")


def pre_authentication(payload: bytes) -> bytes:
    """Return what a DSSE signature is over: the payload with its type and both lengths."""
    return b"DSSEv1 %d %s %d %s" % (
        *(len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(payload)),
        payload,
    )


def read_signature(data: bytes, trust: Trust) -> Statement:
    """Verify a signature and return what it says (sections 8.1 to 8.3).

    Raises:
        Refusal: It is none, of an unknown kind, or not by whom the site trusts.
    """
    outer = json_object(data, "the signature")
    if outer.get("mediaType") != MEDIA_TYPE:
        raise Refusal(f"the signature is of media type {outer.get('mediaType')!r}: {MEDIA_TYPE}")
    envelope = _object(outer.get("dsseEnvelope"), "the signature's dsseEnvelope")
    if envelope.get("payloadType") != PAYLOAD_TYPE:
        raise Refusal(f"the signature's payload is of type {envelope.get('payloadType')!r}")
    signatures = envelope.get("signatures")
    if not isinstance(signatures, list) or len(signatures) != 1:
        raise Refusal("the signature file does not hold exactly one signature")
    value = _base64(_object(signatures[0], "the signature").get("sig"), "the signature")
    payload = _base64(envelope.get("payload"), "the signature's payload")
    material = _object(outer.get("verificationMaterial"), "the signature's verificationMaterial")
    key, signer = _signing_key(material, trust, value, pre_authentication(payload))
    if key is None:
        raise Refusal(f"the signature does not match: changed, or not signed by {signer}")
    return _statement(payload, signer)


def _signing_key(
    material: dict[str, Any], trust: Trust, signature: bytes, signed: bytes
) -> tuple[PublicKey | None, str]:
    """Return the trusted key that made the signature, None if none did; and whose it is."""
    if "x509CertificateChain" in material:
        if not trust.authorities:
            raise Refusal("signed with a certificate, but no certificate is trusted here")
        chain = _chain(material["x509CertificateChain"])
        at = trust.at or datetime.now(UTC)
        key = certificates.check_chain(chain, trust.authorities, at)
        return _matching([key], signature, signed), f"the certificate of {chain[0].name}"
    if "publicKey" not in material:
        raise Refusal("signed by a method other than key or certificate: not verified offline")
    if not trust.keys:
        raise Refusal("signed with a key, but no key is trusted here")
    hint = _object(material["publicKey"], "the signature's publicKey").get("hint")
    candidates = [key for key in trust.keys if not hint or key.fingerprint == hint]
    if not candidates:
        raise Refusal(f"signed by a key that is not trusted here: {hint}")
    key_found = _matching(candidates, signature, signed)
    return key_found, f"key {(key_found or candidates[0]).fingerprint}"


def _matching(keys: list[PublicKey], signature: bytes, signed: bytes) -> PublicKey | None:
    for key in keys:
        if key.curve is None:
            raise Refusal("signed with an RSA key: only P-256, P-384 and P-521 are accepted")
        if key.verifies(signature, signed, key.curve.hash_name):
            return key
    return None


def _chain(value: Any) -> list[Certificate]:
    listed = _object(value, "the signature's certificate chain").get("certificates")
    if not isinstance(listed, list) or not listed:
        raise Refusal("the signature's certificate chain is empty")
    return [
        certificates.certificate(
            _base64(_object(entry, "a certificate").get("rawBytes"), "a certificate")
        )
        for entry in listed
    ]


def _statement(payload: bytes, signer: str) -> Statement:
    statement = json_object(payload, "the signed statement")
    for name, expected in (("_type", STATEMENT_TYPE), ("predicateType", PREDICATE_TYPE)):
        if statement.get(name) != expected:
            raise Refusal(f"the signed statement's {name} is {statement.get(name)!r}: {expected}")
    predicate = _object(statement.get("predicate"), "the statement's predicate")
    serial = _object(predicate.get("serialization"), "the statement's serialization")
    method, hash_name = serial.get("method"), serial.get("hash_type")
    if method not in ("files", "shards"):
        raise Refusal(f"files signed by a method that is not known: {method!r}")
    if hash_name not in HASHES:
        raise Refusal(f"files signed with a hash that Python does not have: {hash_name!r}")
    shard = serial.get("shard_size", 0) if method == "shards" else 0
    # The reference implementation writes 500 as 500.0.
    if not isinstance(shard, int | float) or shard != int(shard) or shard < (method == "shards"):
        raise Refusal(f"the signed statement's shard_size is {shard!r}")
    # The reference implementation calls the hash of a shard sha256-sharded-500.
    hashes = (hash_name, f"{hash_name}-sharded-{int(shard)}") if shard else (hash_name,)
    digests = _resources(predicate.get("resources"), hashes, whole_files=not shard)
    name = _check_subject(statement.get("subject"), digests.values())
    ignored = serial.get("ignore_paths") or []
    if not isinstance(ignored, list) or not all(isinstance(path, str) for path in ignored):
        raise Refusal("the signed statement's ignore_paths is not a list of paths")
    links = serial.get("allow_symlinks")
    if not isinstance(links, bool):
        raise Refusal("the signed statement does not say whether links were followed")
    return Statement(name, digests, hash_name, int(shard), links, tuple(ignored), signer)


def _resources(value: Any, hashes: tuple[str, ...], *, whole_files: bool) -> dict[str, str]:
    if not isinstance(value, list) or not value:
        raise Refusal("the signed statement lists no files")
    digests: dict[str, str] = {}
    for entry in value:
        resource = _object(entry, "a signed file")
        name, digest = resource.get("name"), resource.get("digest")
        if not isinstance(name, str) or not isinstance(digest, str):
            raise Refusal("a signed file has no name or no digest")
        if name != ALONE or len(value) > 1:
            check_path(name if whole_files else name.rsplit(":", 2)[0])
        if resource.get("algorithm") not in hashes:
            raise Refusal(f"the signed file {name!r} uses hash {resource.get('algorithm')!r}")
        if name in digests:
            raise Refusal(f"the signed file {name!r} is listed twice")
        digests[name] = digest
    return digests


def _check_subject(value: Any, digests: Iterable[str]) -> str:
    """Compare the root digest (section 6.5.1), and return the subject's name."""
    if not isinstance(value, list) or len(value) != 1:
        raise Refusal("the signed statement does not have exactly one subject")
    subject = _object(value[0], "the statement's subject")
    try:
        root = hashlib.sha256(b"".join(map(bytes.fromhex, digests))).hexdigest()
    except ValueError:
        raise Refusal("a signed file's digest is not hexadecimal") from None
    if _object(subject.get("digest"), "the subject's digest").get("sha256") != root:
        raise Refusal("the signed statement's root digest is not that of its files")
    return str(subject.get("name", ""))


def check_path(name: str) -> None:
    """Refuse a path that is not relative and canonical (section 6.1.2)."""
    parts = name.split("/")
    if not name or "\0" in name or any(part in ("", ".", "..") for part in parts):
        raise Refusal(f"would write outside its folder: {name!r}")


def verify_files(
    path: Path, signature: Path, trust: Trust, *, ignore_unsigned: bool = False
) -> Statement:
    """Verify a signed file or folder (section 8.4).

    Args:
        path: The file, or the folder.
        signature: The signature's file, which may lie in that folder.
        trust: Whose signatures are believed.
        ignore_unsigned: Let files pass that the signature does not name.

    Raises:
        Refusal: The signature is not good, or a file is changed, missing or added.
    """
    try:
        if signature.stat().st_size > _MOST_SIGNATURE_BYTES:
            raise Refusal(f"{signature}: too large for a signature")
        data = signature.read_bytes()
    except OSError as error:
        raise Refusal(f"{signature}: cannot be read: {error.strerror}") from None
    statement = read_signature(data, trust)
    skipped = {*DEFAULT_IGNORED, *statement.ignored}
    if path.resolve() in signature.resolve().parents:
        skipped.add(signature.resolve().relative_to(path.resolve()).as_posix())
    found: set[str] = set()
    for name, file in files_of(path, skipped, symlinks=statement.symlinks):
        known_as = ALONE if path.is_file() and ALONE in statement.digests else name
        found |= _check_file(file, known_as, statement, ignore_unsigned=ignore_unsigned)
    missing = sorted(statement.digests.keys() - found)
    if missing:
        raise Refusal(f"missing: {missing[0]!r}")
    return statement


def _check_file(file: Path, name: str, statement: Statement, *, ignore_unsigned: bool) -> set[str]:
    """Compare a file, or each of its shards, with the statement; return their names."""
    named = dict(digests_of(file, name, statement.hash_name, statement.shard_bytes))
    signed = named.keys() & statement.digests.keys()
    if named and not signed and not ignore_unsigned:
        raise Refusal(f"added: {name!r}")
    expected = signed if ignore_unsigned else named.keys()
    if any(statement.digests.get(piece) != named[piece] for piece in expected):
        raise Refusal(f"changed: {name!r}")
    return set(named)


def files_of(path: Path, skipped: set[str], *, symlinks: bool) -> Iterator[tuple[str, Path]]:
    """Yield name and path of each file of a folder (or of a single file), in order of the names.

    Raises:
        Refusal: A link where none are followed, or something that is neither file nor folder.
    """
    if path.is_file():
        yield path.name, path
        return
    if not path.is_dir():
        raise Refusal(f"{path}: no such file or folder")
    waiting = [path]
    found = []
    while waiting:
        for entry in os.scandir(waiting.pop()):
            name = PurePosixPath(Path(entry.path).relative_to(path).as_posix())
            if {str(name), *map(str, name.parents)} & skipped:
                continue
            if entry.is_symlink() and not symlinks:
                raise Refusal(f"a symbolic link: {str(name)!r}")
            if entry.is_dir():
                if Path(entry.path).resolve() in Path(entry.path).parent.resolve().parents:
                    raise Refusal(f"a symbolic link that leads back: {str(name)!r}")
                waiting.append(Path(entry.path))
            elif entry.is_file():
                found.append((str(name), Path(entry.path)))
            else:
                raise Refusal(f"neither a file nor a folder: {str(name)!r}")
    yield from sorted(found)


def digests_of(
    path: Path, name: str, hash_name: str, shard_bytes: int
) -> Iterator[tuple[str, str]]:
    """Yield the name and digest of a file, or of each of its shards (section 6.3)."""
    with path.open("rb") as stream:
        if not shard_bytes:
            yield name, _digest(stream, hash_name, None)
            return
        size = os.fstat(stream.fileno()).st_size
        for start in range(0, size, shard_bytes):
            end = min(start + shard_bytes, size)
            yield f"{name}:{start}:{end}", _digest(stream, hash_name, end - start)


def _digest(stream: Any, hash_name: str, count: int | None) -> str:
    digest, left = hashlib.new(hash_name), count
    while left is None or left > 0:
        chunk = stream.read(_CHUNK_BYTES if left is None else min(left, _CHUNK_BYTES))
        if not chunk:
            break
        digest.update(chunk)
        left = None if left is None else left - len(chunk)
    return digest.hexdigest()


def _json(data: bytes, what: str) -> Any:
    """Read JSON; a key that stands twice is refused, since readers differ on which one counts."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise Refusal(f"{what} has a key twice")
        return found

    try:
        return json.loads(data, object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise Refusal(f"{what} is not JSON: {error}") from None


def json_object(data: bytes, what: str) -> dict[str, Any]:
    """Return a JSON text's object."""
    return _object(_json(data, what), what)


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Refusal(f"{what} is missing, or not an object")
    return value


def _base64(value: Any, what: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise Refusal(f"{what} is not Base64") from None
