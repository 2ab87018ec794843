"""ECDSA in plain Python against the library that the site signs with."""

from __future__ import annotations

import hashlib
import random

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from cybersecqwen.release.verifier import elliptic

_LIBRARY = {
    "P-256": (ec.SECP256R1(), hashes.SHA256()),
    "P-384": (ec.SECP384R1(), hashes.SHA384()),
    "P-521": (ec.SECP521R1(), hashes.SHA512()),
}


@pytest.mark.parametrize("curve", elliptic.CURVES, ids=lambda curve: curve.name)
def test_agrees_with_the_library(curve: elliptic.Curve) -> None:
    kind, algorithm = _LIBRARY[curve.name]
    draw = random.Random(curve.name)
    for _ in range(8):
        key = ec.derive_private_key(draw.randrange(1, curve.n), kind)
        message = draw.randbytes(50)
        r, s = decode_dss_signature(key.sign(message, ec.ECDSA(algorithm)))
        numbers = key.public_key().public_numbers()
        public, digest = (numbers.x, numbers.y), hashlib.new(curve.hash_name, message).digest()
        assert elliptic.verify(curve, public, digest, r, s)
        other = hashlib.new(curve.hash_name, message + b".").digest()
        assert not elliptic.verify(curve, public, other, r, s)
        assert not elliptic.verify(curve, public, digest, r ^ 1 << draw.randrange(250), s)
        assert not elliptic.verify(curve, public, digest, r, s ^ 1 << draw.randrange(250))


@pytest.mark.parametrize("curve", elliptic.CURVES, ids=lambda curve: curve.name)
def test_values_out_of_range_never_verify(curve: elliptic.Curve) -> None:
    public, digest = (curve.x, curve.y), b"\1" * 32
    for r, s in ((0, 1), (1, 0), (0, 0), (curve.n, 1), (1, curve.n), (-1, 1)):
        assert not elliptic.verify(curve, public, digest, r, s)
    assert not elliptic.verify(curve, (curve.x, curve.y + 1), digest, 1, 1)
    assert not elliptic.verify(curve, (0, 0), digest, 1, 1)


def test_a_key_equal_to_the_base_point_verifies() -> None:
    """Both multiplied points are one point then, which addition must treat as doubling."""
    key = ec.derive_private_key(1, ec.SECP256R1())
    r, s = decode_dss_signature(key.sign(b"text", ec.ECDSA(hashes.SHA256())))
    digest = hashlib.sha256(b"text").digest()
    assert elliptic.verify(elliptic.P256, (elliptic.P256.x, elliptic.P256.y), digest, r, s)
