"""Signatures by OpenSSF Model Signing v1.0, with the site's own key or certificate.

Written with ``cryptography`` alone: its deterministic ECDSA (RFC 6979) gives the same bytes for
the same files, which the reference implementation's signatures do not, and nothing here can reach
a network. Tests hold both implementations against each other.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.files import atomic_path, atomic_write
from cybersecqwen.release.verifier import Refusal, oms

_HASHES: dict[int, hashes.HashAlgorithm] = {
    256: hashes.SHA256(),
    384: hashes.SHA384(),
    521: hashes.SHA512(),
}
CURVES: dict[str, type[ec.EllipticCurve]] = {
    "p256": ec.SECP256R1,
    "p384": ec.SECP384R1,
    "p521": ec.SECP521R1,
}


class SigningKey:
    """A private key, and the certificates that vouch for it if there are any."""

    def __init__(
        self, private: ec.EllipticCurvePrivateKey, chain: Sequence[x509.Certificate] = ()
    ) -> None:
        self._private, self._chain = private, tuple(chain)

    @classmethod
    def read(
        cls, path: Path, password: str | None = None, chain: Sequence[Path] = ()
    ) -> SigningKey:
        """Read a private key from a PEM file.

        Args:
            path: The key.
            password: What it is encrypted with.
            chain: PEM files of its certificate, first, and of those that signed it.

        Raises:
            InputError: The key cannot be read, is of another kind, or the certificate is not its.
        """
        try:
            private = serialization.load_pem_private_key(
                path.read_bytes(), password.encode() if password else None
            )
            listed = [
                certificate
                for file in chain
                for certificate in x509.load_pem_x509_certificates(file.read_bytes())
            ]
        except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise InputError(f"{path}: the key cannot be read: {error}") from error
        if not isinstance(private, ec.EllipticCurvePrivateKey) or private.key_size not in _HASHES:
            raise InputError(f"{path}: keys on the curves P-256, P-384 and P-521 can sign")
        if listed and listed[0].public_key() != private.public_key():
            raise InputError(f"{chain[0]}: the first certificate is not that of {path}")
        return cls(private, listed)

    def sign(self, data: bytes) -> bytes:
        """Return the signature of data: ECDSA with the hash of the curve's size, in DER."""
        algorithm = ec.ECDSA(_HASHES[self._private.key_size], deterministic_signing=True)
        return self._private.sign(data, algorithm)

    def public_pem(self) -> bytes:
        """Return the public key in PEM form."""
        return self._private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the public key in PEM form, by which signatures name it."""
        return hashlib.sha256(self.public_pem()).hexdigest()

    def verification_material(self) -> dict[str, Any]:
        """Return what tells a verifier which key to use (specification, section 4.1)."""
        if not self._chain:
            return {
                "publicKey": {"hint": self.fingerprint},
                "tlogEntries": [],
            }
        listed = [
            {"rawBytes": _base64(certificate.public_bytes(serialization.Encoding.DER))}
            for certificate in self._chain
        ]
        return {"x509CertificateChain": {"certificates": listed}, "tlogEntries": []}


def make_key(path: Path, curve: str = "p256", password: str | None = None) -> tuple[Path, Path]:
    """Make a key pair: ``path`` for the private key, only its owner's to read, and ``.pub.pem``.

    A private key that is there without its public one is kept, and that made of it.

    Returns:
        The files of the private and the public key.

    Raises:
        InputError: The public key is there already, or the private one cannot be read.
    """
    public = path.with_suffix(".pub.pem")
    if public.exists():
        raise InputError(f"{public}: already there; a key is never overwritten")
    if not path.exists():
        _write_private(path, curve, password)
    pem = SigningKey.read(path, password).public_pem()
    with atomic_write(public) as stream:
        stream.write(pem)
    return path, public


def _write_private(path: Path, curve: str, password: str | None) -> None:
    private = ec.generate_private_key(CURVES[curve]())
    encryption = (
        serialization.BestAvailableEncryption(password.encode())
        if password
        else serialization.NoEncryption()
    )
    data = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    )
    with atomic_path(path) as part:
        part.chmod(0o600)
        part.write_bytes(data)


def sign_files(path: Path, signature: Path, key: SigningKey) -> None:
    """Sign a file, or all files of a folder, as any OpenSSF Model Signing verifier reads it.

    Args:
        path: The file or folder, without links.
        signature: Where the signature goes; in the folder it is left out of what is signed.
        key: Who signs.

    Raises:
        InputError: A link, a special file, no files at all, or something that cannot be read.
    """
    skipped = {*oms.DEFAULT_IGNORED}
    if path.is_dir() and path.resolve() in signature.resolve().parents:
        skipped.add(signature.resolve().relative_to(path.resolve()).as_posix())
    try:
        digests = {
            name: digest
            for name, file in oms.files_of(path, skipped, symlinks=False)
            for _, digest in oms.digests_of(file, name, "sha256", 0)
        }
    except (Refusal, OSError) as error:
        raise InputError(f"{path}: cannot be signed: {error}") from error
    text = signature_text(path.name, digests, key, ignored=sorted(skipped))
    with atomic_write(signature) as stream:
        stream.write(text)


def signature_text(
    name: str, digests: dict[str, str], key: SigningKey, *, ignored: Sequence[str]
) -> bytes:
    """Return a signature over files that were hashed already.

    Args:
        name: Name of what is signed, for people.
        digests: Hexadecimal SHA-256 of each file, by path.
        key: Who signs.
        ignored: Paths that are not signed.

    Raises:
        InputError: There are no files.
    """
    if not digests:
        raise InputError("nothing to sign: there are no files")
    ordered = sorted(digests.items())
    root = hashlib.sha256(b"".join(bytes.fromhex(digest) for _, digest in ordered)).hexdigest()
    statement = {
        "_type": oms.STATEMENT_TYPE,
        "subject": [{"name": name, "digest": {"sha256": root}}],
        "predicateType": oms.PREDICATE_TYPE,
        "predicate": {
            "serialization": {
                "method": "files",
                "hash_type": "sha256",
                "allow_symlinks": False,
                "ignore_paths": list(ignored),
            },
            "resources": [
                {"name": path, "algorithm": "sha256", "digest": digest} for path, digest in ordered
            ],
        },
    }
    payload = json.dumps(statement, ensure_ascii=False, separators=(",", ":")).encode()
    bundle = {
        "mediaType": oms.MEDIA_TYPE,
        "verificationMaterial": key.verification_material(),
        "dsseEnvelope": {
            "payload": _base64(payload),
            "payloadType": oms.PAYLOAD_TYPE,
            "signatures": [
                {"sig": _base64(key.sign(oms.pre_authentication(payload))), "keyid": ""}
            ],
        },
    }
    return json.dumps(bundle, separators=(",", ":")).encode() + b"\n"


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
