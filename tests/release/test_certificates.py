"""Certificate chains: which lead to trust, and why others do not."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from certificate_chains import NOW, Holder
from cybersecqwen.release.verifier import Refusal, certificates


def _read(holder: Holder) -> certificates.Certificate:
    der = holder.certificate.public_bytes(serialization.Encoding.DER)
    return certificates.certificate(der)


def _check(chain: list[Holder], trusted: list[Holder]) -> certificates.PublicKey:
    return certificates.check_chain([_read(h) for h in chain], [_read(h) for h in trusted], NOW)


@pytest.mark.parametrize("kind", ["p256", "p384", "p521", "rsa"])
def test_chain_to_an_authority_of_each_kind(kind: str) -> None:
    curves = {"p256": ec.SECP256R1(), "p384": ec.SECP384R1(), "p521": ec.SECP521R1()}
    key = (
        rsa.generate_private_key(65537, 2048)
        if kind == "rsa"
        else ec.generate_private_key(curves[kind])
    )
    root = Holder("Root", key=key, authority=True)
    middle = Holder("Middle", root, authority=True)
    leaf = Holder("Signer", middle)
    found = _check([leaf, middle], [root])
    pem = leaf.key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assert found.fingerprint == hashlib.sha256(pem).hexdigest()


def test_a_certificate_trusted_itself_needs_no_authority() -> None:
    leaf = Holder("Signer")
    assert _check([leaf], [leaf]).curve is not None


def _root(**options: object) -> Holder:
    return Holder("Root", authority=True, **options)  # type: ignore[arg-type]


def _expired_middle() -> tuple[list[Holder], list[Holder]]:
    root = _root()
    middle = Holder("Middle", root, authority=True, days=(-30, -1))
    return [Holder("Signer", middle), middle], [root]


def _forged() -> tuple[list[Holder], list[Holder]]:
    """A chain to an authority that has the trusted one's name and another key."""
    return [Holder("Signer", false := _root()), false], [_root()]


def _too_long() -> tuple[list[Holder], list[Holder]]:
    root = _root(path_length=0)
    middle = Holder("Middle", root, authority=True)
    return [Holder("Signer", middle), middle], [root]


def _signed_by_a_signer() -> tuple[list[Holder], list[Holder]]:
    root = _root()
    other = Holder("Other", root)
    return [Holder("Signer", other), other], [root]


_WRONG = {
    "ended on": lambda: ([Holder("Signer", root := _root(), days=(-30, -1))], [root]),
    "begins on": lambda: ([Holder("Signer", root := _root(), days=(1, 30))], [root]),
    "Middle ended on": _expired_middle,
    "Root ended on": lambda: ([Holder("Signer", root := _root(days=(-30, -1)))], [root]),
    "does not lead to a trusted one": _forged,
    "nothing trusted signed": lambda: ([Holder("Signer", _root())], [Holder("Elsewhere")]),
    "may not sign that of": _signed_by_a_signer,
    "Root may not sign that of": _too_long,
    "may not be used to sign files": lambda: (
        [Holder("Signer", root := _root(), use=ExtendedKeyUsageOID.SERVER_AUTH)],
        [root],
    ),
    "Signer may not be used to sign": lambda: (
        [Holder("Signer", root := _root(), use=None, signs=False)],
        [root],
    ),
    "critical part 1.2.3.4.5": lambda: ([Holder("Signer", root := _root(), unknown=True)], [root]),
}


@pytest.mark.parametrize("reason", _WRONG)
def test_refused(reason: str) -> None:
    chain, trusted = _WRONG[reason]()
    with pytest.raises(Refusal, match=reason):
        _check(chain, trusted)


def test_validity_is_judged_at_the_time_given() -> None:
    root = _root(days=(-400, 400))
    leaf = Holder("Signer", root, days=(-300, -200))
    chain, trusted = [_read(leaf)], [_read(root)]
    assert certificates.check_chain(chain, trusted, NOW - timedelta(days=250))
    with pytest.raises(Refusal, match="ended on"):
        certificates.check_chain(chain, trusted, NOW)


def test_every_changed_byte_of_a_certificate_is_refused() -> None:
    """Whatever byte changes: the certificate cannot be read, or its signature is wrong."""
    root = _root()
    der = Holder("Signer", root).certificate.public_bytes(serialization.Encoding.DER)
    anchors = [_read(root)]
    passed = []
    for place in range(len(der)):
        changed = bytearray(der)
        changed[place] ^= 0x01
        try:
            certificates.check_chain([certificates.certificate(bytes(changed))], anchors, NOW)
        except Refusal:
            continue
        passed.append(place)
    assert passed == [], der.hex()


def test_short_rsa_keys_are_refused() -> None:
    key = rsa.generate_private_key(65537, 1024)
    with pytest.raises(Refusal, match="1024 bits: too short"):
        _read(Holder("Root", key=key, authority=True))
