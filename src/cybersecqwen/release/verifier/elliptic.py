"""ECDSA verification over the NIST curves (FIPS 186-5, section 6.4.2), in plain Python.

Verification handles no secrets, so that timing does not matter. Signing is done elsewhere, by a
library made for it.
"""

from __future__ import annotations

from dataclasses import dataclass

Point = tuple[int, int, int]  # Jacobian coordinates: x = X / Z^2, y = Y / Z^3; Z = 0 is infinity

_INFINITY: Point = (1, 1, 0)


@dataclass(frozen=True)
class Curve:
    """A curve y^2 = x^3 - 3x + b over a prime field (SP 800-186, section 3.2.1).

    Attributes:
        name: The standard's name.
        hash_name: Hash that signatures with this curve use here, as hashlib calls it.
        p: Prime of the field.
        b: Coefficient.
        n: Order of the base point, a prime.
        x: The base point's x.
        y: The base point's y.
    """

    name: str
    hash_name: str
    p: int
    b: int
    n: int
    x: int
    y: int

    @property
    def bytes(self) -> int:
        """Length of a coordinate."""
        return (self.p.bit_length() + 7) // 8


def _hex(text: str) -> int:
    return int(text, 16)


P256 = Curve(
    "P-256",
    "sha256",
    2**256 - 2**224 + 2**192 + 2**96 - 1,
    0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
    0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
P384 = Curve(
    "P-384",
    "sha384",
    2**384 - 2**128 - 2**96 + 2**32 - 1,
    _hex(
        "B3312FA7E23EE7E4988E056BE3F82D19181D9C6EFE8141120314088F5013875A"
        "C656398D8A2ED19D2A85C8EDD3EC2AEF"
    ),
    _hex(
        "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF"
        "581A0DB248B0A77AECEC196ACCC52973"
    ),
    _hex(
        "AA87CA22BE8B05378EB1C71EF320AD746E1D3B628BA79B9859F741E082542A38"
        "5502F25DBF55296C3A545E3872760AB7"
    ),
    _hex(
        "3617DE4A96262C6F5D9E98BF9292DC29F8F41DBD289A147CE9DA3113B5F0B8C0"
        "0A60B1CE1D7E819D7A431D7C90EA0E5F"
    ),
)
P521 = Curve(
    "P-521",
    "sha512",
    2**521 - 1,
    _hex(
        "0051953EB9618E1C9A1F929A21A0B68540EEA2DA725B99B315F3B8B489918EF1"
        "09E156193951EC7E937B1652C0BD3BB1BF073573DF883D2C34F1EF451FD46B50"
        "3F00"
    ),
    _hex(
        "01FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF"
        "FFFA51868783BF2F966B7FCC0148F709A5D03BB5C9B8899C47AEBB6FB71E9138"
        "6409"
    ),
    _hex(
        "00C6858E06B70404E9CD9E3ECB662395B4429C648139053FB521F828AF606B4D"
        "3DBAA14B5E77EFE75928FE1DC127A2FFA8DE3348B3C1856A429BF97E7E31C2E5"
        "BD66"
    ),
    _hex(
        "011839296A789A3BC0045C8A5FB42C7D1BD998F54449579B446817AFBD17273E"
        "662C97EE72995EF42640C550B9013FAD0761353C7086A272C24088BE94769FD1"
        "6650"
    ),
)
CURVES = (P256, P384, P521)


def on_curve(curve: Curve, x: int, y: int) -> bool:
    """Tell whether a point's coordinates are in range and satisfy the curve's equation."""
    p = curve.p
    return 0 <= x < p and 0 <= y < p and (y * y - (x * x * x - 3 * x + curve.b)) % p == 0


def verify(curve: Curve, public: tuple[int, int], digest: bytes, r: int, s: int) -> bool:
    """Tell whether ``(r, s)`` signs a digest under a public key.

    Args:
        curve: The curve.
        public: The key's affine coordinates, which must be on the curve.
        digest: Hash of what was signed; its leftmost bits count, as many as the order has.
        r: First half of the signature.
        s: Second half.
    """
    n = curve.n
    if not (0 < r < n and 0 < s < n and on_curve(curve, *public)):
        return False
    e = int.from_bytes(digest, "big") >> max(0, 8 * len(digest) - n.bit_length())
    inverse = pow(s, -1, n)
    base, key = (curve.x, curve.y, 1), (*public, 1)
    found = _sum_of_multiples(curve.p, e * inverse % n, base, r * inverse % n, key)
    if found[2] == 0:
        return False
    return found[0] * pow(found[2], -2, curve.p) % curve.p % n == r


def _sum_of_multiples(p: int, u: int, a: Point, v: int, b: Point) -> Point:
    """Return u·a + v·b, both multiplications in one pass (Shamir's trick)."""
    added = {(1, 0): a, (0, 1): b, (1, 1): _add(p, a, b)}
    total = _INFINITY
    for bit in range(max(u.bit_length(), v.bit_length()) - 1, -1, -1):
        total = _double(p, total)
        bits = (u >> bit & 1, v >> bit & 1)
        if bits != (0, 0):
            total = _add(p, total, added[bits])
    return total


def _double(p: int, point: Point) -> Point:
    x, y, z = point
    if z == 0 or y == 0:
        return _INFINITY
    yy = y * y % p
    s = 4 * x * yy % p
    m = 3 * (x - z * z) * (x + z * z) % p  # the curve's a is -3
    x3 = (m * m - 2 * s) % p
    return x3, (m * (s - x3) - 8 * yy * yy) % p, 2 * y * z % p


def _add(p: int, left: Point, right: Point) -> Point:
    if left[2] == 0:
        return right
    if right[2] == 0:
        return left
    (x1, y1, z1), (x2, y2, z2) = left, right
    u1, u2 = x1 * z2 * z2 % p, x2 * z1 * z1 % p
    s1, s2 = y1 * z2 * z2 * z2 % p, y2 * z1 * z1 * z1 % p
    if u1 == u2:
        return _double(p, left) if s1 == s2 else _INFINITY
    h, r = (u2 - u1) % p, (s2 - s1) % p
    hh = h * h % p
    hhh, v = h * hh % p, u1 * hh % p
    x3 = (r * r - hhh - 2 * v) % p
    return x3, (r * (v - x3) - s1 * hhh) % p, h * z1 * z2 % p
