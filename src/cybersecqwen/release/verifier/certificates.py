"""X.509 certificates (RFC 5280): as much as a chain that signs bundles needs, and strict."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from . import elliptic
from .errors import Refusal

_INTEGER, _BITS, _OCTETS, _OID, _BOOLEAN, _SEQUENCE = 2, 3, 4, 6, 1, 0x30
_EC_KEY, _RSA_KEY = "1.2.840.10045.2.1", "1.2.840.113549.1.1.1"
_CURVES = {
    "1.2.840.10045.3.1.7": elliptic.P256,
    "1.3.132.0.34": elliptic.P384,
    "1.3.132.0.35": elliptic.P521,
}
_ECDSA = {f"1.2.840.10045.4.3.{n}": h for n, h in ((2, "sha256"), (3, "sha384"), (4, "sha512"))}
_RSA = {f"1.2.840.113549.1.1.{n}": h for n, h in ((11, "sha256"), (12, "sha384"), (13, "sha512"))}
_DIGEST_INFO = {  # RFC 8017, section 9.2, note 1
    "sha256": "3031300d060960864801650304020105000420",
    "sha384": "3041300d060960864801650304020205000430",
    "sha512": "3051300d060960864801650304020305000440",
}
_BASIC_CONSTRAINTS, _KEY_USAGE, _EXTENDED_USAGE = "2.5.29.19", "2.5.29.15", "2.5.29.37"
_CODE_SIGNING = "1.3.6.1.5.5.7.3.3"
_DIGITAL_SIGNATURE, _CERTIFICATE_SIGN = 0, 5  # bits of KeyUsage
_LONGEST_CHAIN = 8
_RSA_MIN_BITS = 2048


class DerReader:
    """The elements of one DER value, one after the other (X.690)."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def element(self) -> tuple[int, bytes, bytes]:
        """Return the next element: its tag, its content and its whole encoding."""
        start, data = self._at, self._data
        if start + 2 > len(data):
            raise Refusal("a certificate or key ends in the middle")
        tag, length, at = data[start], data[start + 1], start + 2
        if length >= 0x80:
            count = length & 0x7F
            number = data[at : at + count]
            length, at = int.from_bytes(number, "big"), at + count
            if not number or number[0] == 0 or length < 0x80 or count > 4:
                raise Refusal("a certificate or key is not DER")
        if tag & 0x1F == 0x1F or at + length > len(data):
            raise Refusal("a certificate or key is not DER")
        self._at = at + length
        return tag, data[at : self._at], data[start : self._at]

    def content(self, tag: int) -> bytes:
        """Return the next element's content, which must have this tag."""
        found, content, _ = self.element()
        if found != tag:
            raise Refusal(f"a certificate or key has tag {found:#x} where {tag:#x} belongs")
        return content

    def whole_bytes(self) -> bytes:
        """Return the next element, a BIT STRING of whole bytes."""
        content = self.content(_BITS)
        if content[:1] != b"\0":
            raise Refusal("a certificate or key is not DER")
        return content[1:]

    def peek(self) -> int | None:
        """Return the next element's tag, None at the end."""
        return self._data[self._at] if self else None


def _integer(content: bytes) -> int:
    if not content:
        raise Refusal("a certificate or key is not DER")
    return int.from_bytes(content, "big", signed=True)


def _oid(content: bytes) -> str:
    numbers, value = [], 0
    for byte in content:
        value = value << 7 | byte & 0x7F
        if not byte & 0x80:
            numbers.append(value)
            value = 0
    if not numbers:
        raise Refusal("a certificate or key is not DER")
    first = min(numbers[0] // 40, 2)
    return ".".join(map(str, (first, numbers[0] - 40 * first, *numbers[1:])))


@dataclass(frozen=True)
class PublicKey:
    """A public key: an elliptic curve's point, or an RSA modulus and exponent.

    Attributes:
        der: SubjectPublicKeyInfo.
        curve: The curve, None for RSA.
        numbers: x and y, or modulus and exponent.
    """

    der: bytes
    curve: elliptic.Curve | None
    numbers: tuple[int, int]

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the key as a PEM file, as OpenSSF Model Signing identifies keys."""
        return hashlib.sha256(pem(self.der, "PUBLIC KEY")).hexdigest()

    def verifies(self, signature: bytes, data: bytes, hash_name: str) -> bool:
        """Tell whether the signature is this key's over the data."""
        if self.curve is None:
            return self._verifies_rsa(signature, data, hash_name)
        try:
            pair = DerReader(DerReader(signature).content(_SEQUENCE))
            r, s = _integer(pair.content(_INTEGER)), _integer(pair.content(_INTEGER))
        except Refusal:
            return False
        digest = hashlib.new(hash_name, data).digest()
        return not pair and elliptic.verify(self.curve, self.numbers, digest, r, s)

    def _verifies_rsa(self, signature: bytes, data: bytes, hash_name: str) -> bool:
        """RSASSA-PKCS1-v1_5 (RFC 8017, section 8.2.2): the whole padding is compared."""
        modulus, exponent = self.numbers
        size = (modulus.bit_length() + 7) // 8
        tail = bytes.fromhex(_DIGEST_INFO[hash_name]) + hashlib.new(hash_name, data).digest()
        expected = b"\0\1" + b"\xff" * (size - len(tail) - 3) + b"\0" + tail
        value = int.from_bytes(signature, "big")
        return len(signature) == size and pow(value, exponent, modulus) == int.from_bytes(
            expected, "big"
        )


def public_key(der: bytes) -> PublicKey:
    """Read a SubjectPublicKeyInfo.

    Raises:
        Refusal: It is none, or of a kind that is not accepted.
    """
    parts = DerReader(DerReader(der).content(_SEQUENCE))
    algorithm, bits = DerReader(parts.content(_SEQUENCE)), parts.whole_bytes()
    kind = _oid(algorithm.content(_OID))
    if kind == _RSA_KEY:
        numbers = DerReader(DerReader(bits).content(_SEQUENCE))
        modulus = _integer(numbers.content(_INTEGER))
        if modulus.bit_length() < _RSA_MIN_BITS:
            raise Refusal(f"an RSA key of {modulus.bit_length()} bits: too short")
        return PublicKey(der, None, (modulus, _integer(numbers.content(_INTEGER))))
    name = _oid(algorithm.content(_OID)) if kind == _EC_KEY else ""
    curve = _CURVES.get(name)
    if curve is None:
        raise Refusal(f"a key of kind {kind} {name}: only P-256, P-384, P-521 and RSA are accepted")
    if len(bits) != 1 + 2 * curve.bytes or bits[0] != 4:
        raise Refusal("an elliptic key's point is not in uncompressed form")
    x, y = (int.from_bytes(bits[1 + i * curve.bytes :][: curve.bytes], "big") for i in (0, 1))
    if not elliptic.on_curve(curve, x, y):
        raise Refusal("a key's point is not on its curve")
    return PublicKey(der, curve, (x, y))


@dataclass(frozen=True)
class Certificate:
    """A certificate, read but not yet believed.

    Attributes:
        der: The whole certificate.
        signed: The part that the signature is over.
        subject: Encoded name of its holder.
        issuer: Encoded name of who signed it.
        not_before: Valid from.
        not_after: Valid until.
        key: The holder's key.
        algorithm: Object identifier of the signature's algorithm.
        signature: The signature.
        extensions: Value and whether it is critical, by object identifier.
    """

    der: bytes
    signed: bytes
    subject: bytes
    issuer: bytes
    not_before: datetime
    not_after: datetime
    key: PublicKey
    algorithm: str
    signature: bytes
    extensions: dict[str, tuple[bytes, bool]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The holder's name for messages: the texts of its parts."""
        texts = re.findall(rb"[\x0c\x13\x16].([ -~\x80-\xff]+?)(?=[\x30\x31]|$)", self.subject)
        return ", ".join(text.decode("utf-8", "replace") for text in texts) or "without a name"

    def signed_by(self, issuer: Certificate) -> bool:
        """Tell whether another certificate's key made this one's signature."""
        if self.algorithm in _ECDSA and issuer.key.curve is not None:
            return issuer.key.verifies(self.signature, self.signed, _ECDSA[self.algorithm])
        if self.algorithm in _RSA and issuer.key.curve is None:
            return issuer.key.verifies(self.signature, self.signed, _RSA[self.algorithm])
        return False

    def usage(self, bit: int) -> bool | None:
        """Tell whether KeyUsage has a bit; None where there is no KeyUsage."""
        if _KEY_USAGE not in self.extensions:
            return None
        bits = DerReader(self.extensions[_KEY_USAGE][0]).content(_BITS)[1:]
        return bit // 8 < len(bits) and bool(bits[bit // 8] >> (7 - bit % 8) & 1)

    def authority(self) -> tuple[bool, int | None]:
        """Return whether it may sign certificates, and over how many further authorities."""
        if _BASIC_CONSTRAINTS not in self.extensions:
            return False, None
        parts = DerReader(DerReader(self.extensions[_BASIC_CONSTRAINTS][0]).content(_SEQUENCE))
        allowed = parts.peek() == _BOOLEAN and parts.content(_BOOLEAN) == b"\xff"
        limit = _integer(parts.content(_INTEGER)) if parts.peek() == _INTEGER else None
        return allowed and self.usage(_CERTIFICATE_SIGN) is not False, limit

    def signs_code(self) -> bool:
        """Tell whether its key may sign files: by ExtendedKeyUsage if it has one, else KeyUsage."""
        if _EXTENDED_USAGE in self.extensions:
            uses = DerReader(DerReader(self.extensions[_EXTENDED_USAGE][0]).content(_SEQUENCE))
            found = []
            while uses:
                found.append(_oid(uses.content(_OID)))
            return _CODE_SIGNING in found and self.usage(_DIGITAL_SIGNATURE) is not False
        return self.usage(_DIGITAL_SIGNATURE) is True


def certificate(der: bytes) -> Certificate:
    """Read a certificate.

    Raises:
        Refusal: It is none, or uses something that is not accepted.
    """
    outer = DerReader(der)
    whole = DerReader(outer.content(_SEQUENCE))
    _, body, signed = whole.element()
    named = whole.content(_SEQUENCE)
    signature = whole.whole_bytes()
    if outer or whole:
        raise Refusal("a certificate has bytes behind its end")
    parts = DerReader(body)
    if parts.peek() == 0xA0:
        parts.element()  # version
    parts.content(_INTEGER)  # serial number
    if parts.content(_SEQUENCE) != named:
        raise Refusal("a certificate names two signature algorithms")
    issuer = parts.element()[2]
    validity = DerReader(parts.content(_SEQUENCE))
    times = [_time(*validity.element()[:2]) for _ in range(2)]
    subject, key = parts.element()[2], public_key(parts.element()[2])
    extensions: dict[str, tuple[bytes, bool]] = {}
    while parts:
        tag, content, _ = parts.element()
        if tag == 0xA3:
            extensions = dict(_extensions(DerReader(DerReader(content).content(_SEQUENCE))))
    algorithm = _oid(DerReader(named).content(_OID))
    return Certificate(
        der, signed, subject, issuer, times[0], times[1], key, algorithm, signature, extensions
    )


def _extensions(entries: DerReader) -> Iterator[tuple[str, tuple[bytes, bool]]]:
    while entries:
        entry = DerReader(entries.content(_SEQUENCE))
        name = _oid(entry.content(_OID))
        critical = entry.peek() == _BOOLEAN and entry.content(_BOOLEAN) == b"\xff"
        yield name, (entry.content(_OCTETS), critical)


def _time(tag: int, content: bytes) -> datetime:
    text = content.decode("ascii", "replace")
    try:
        if tag == 0x17:  # UTCTime: years 1950 to 2049
            text = ("19" if text[:2] >= "50" else "20") + text
        return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise Refusal(f"a certificate's time cannot be read: {text}") from None


def check_chain(
    chain: Sequence[Certificate], trusted: Sequence[Certificate], at: datetime
) -> PublicKey:
    """Follow a chain from its first certificate to a trusted one; return the first one's key.

    Args:
        chain: The signer's certificate, then others in any order, none of them believed.
        trusted: The authorities (or signers) that the site trusts.
        at: Time at which all of them must be valid.

    Raises:
        Refusal: Some certificate of the chain may not be used, or none is trusted.
    """
    leaf = current = chain[0]
    _check_valid(leaf, at)
    if not leaf.signs_code():
        raise Refusal(f"the certificate of {leaf.name} may not be used to sign files")
    below = 0  # authorities between the one looked at and the signer
    while current.der not in {certificate.der for certificate in trusted}:
        issuer = _issuer(current, [*trusted, *chain[1:]])
        if issuer is None or below >= _LONGEST_CHAIN:
            raise Refusal(
                f"the signer's certificate ({leaf.name}) does not lead to a trusted one: "
                f"nothing trusted signed that of {current.name}"
            )
        _check_valid(issuer, at)
        allowed, limit = issuer.authority()
        if not allowed or (limit is not None and below > limit):
            raise Refusal(f"the certificate of {issuer.name} may not sign that of {current.name}")
        current, below = issuer, below + 1
    return leaf.key


def _issuer(of: Certificate, among: Sequence[Certificate]) -> Certificate | None:
    for candidate in among:
        if candidate.subject == of.issuer and candidate.der != of.der and of.signed_by(candidate):
            return candidate
    return None


def _check_valid(certificate: Certificate, at: datetime) -> None:
    known = {_BASIC_CONSTRAINTS, _KEY_USAGE, _EXTENDED_USAGE}
    for name, (_, critical) in certificate.extensions.items():
        if critical and name not in known:
            raise Refusal(f"the certificate of {certificate.name} has a critical part {name}")
    begin, end = certificate.not_before, certificate.not_after
    if at < begin:
        raise Refusal(f"the certificate of {certificate.name} begins on {begin:%Y-%m-%d}")
    if at > end:
        raise Refusal(f"the certificate of {certificate.name} ended on {end:%Y-%m-%d}")


def pem(der: bytes, label: str) -> bytes:
    """Return DER as a PEM text, lines of 64 characters (RFC 7468)."""
    text = base64.b64encode(der).decode()
    lines = [text[i : i + 64] for i in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""]).encode()


def read_pem(data: bytes, label: str) -> list[bytes]:
    """Return the DER of each block of a PEM file that has this label."""
    found = re.findall(rb"-----BEGIN %b-----([^-]+)-----END" % label.encode(), data)
    try:
        return [base64.b64decode(b"".join(block.split()), validate=True) for block in found]
    except binascii.Error as error:
        raise Refusal(f"a PEM block cannot be read: {error}") from None
