"""Ways in which a bundle can be damaged or forged, each with what must be said of it."""

from __future__ import annotations

import io
import json
import random
import stat
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from cybersecqwen.release.signing import SigningKey, signature_text
from cybersecqwen.release.verifier import archive

_HOSTILE_NAMES = (
    *("../outside", "../../etc/passwd", "/etc/passwd", "a/../../b", "./a", "a//b", "a/"),
    *("C:/Windows/x", "..\\outside", "a\\b", "CON", "aux.txt", "a:stream", "trailing. ", "n\nl"),
    *("sub/../../x", "nul", "lpt1.txt", "wheels/../../x", "a\x00b"),
)


@dataclass(frozen=True)
class Damage:
    """A damaged bundle.

    Attributes:
        name: What was done.
        data: The bundle.
        reason: Regular expression that the refusal must match.
    """

    name: str
    data: bytes
    reason: str


def damaged(data: bytes, other: SigningKey, count: int) -> Iterator[Damage]:
    """Yield ``count`` damaged bundles of each kind, always the same ones.

    Args:
        data: A good bundle.
        other: A key that is not trusted.
        count: How many of each kind.
    """
    for number in range(count):
        for kind in _KINDS:
            draw = random.Random(f"{kind.__name__} {number}")
            yield kind(data, other, draw, number)


def unpack(data: bytes) -> dict[str, bytes]:
    """Return the files of an archive."""
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        return {name: package.read(name) for name in package.namelist()}


def pack(files: dict[str, bytes]) -> bytes:
    """Return files as an archive with good checksums and headers."""
    stream = io.BytesIO()
    with TemporaryDirectory() as scratch:
        listed = []
        for number, (name, data) in enumerate(files.items()):
            path = Path(scratch) / str(number)
            path.write_bytes(data)
            listed.append((name, path))
        archive.write_archive(stream, listed)
    return stream.getvalue()


def _flipped(data: bytes, _: SigningKey, draw: random.Random, number: int) -> Damage:
    changed = bytearray(data)
    place = draw.randrange(len(data))
    changed[place] ^= 1 << draw.randrange(8)
    return Damage(f"bit flipped at {place}", bytes(changed), "changed|truncated|added|missing")


def _truncated(data: bytes, _: SigningKey, draw: random.Random, number: int) -> Damage:
    length = draw.randrange(len(data)) if number else 0
    return Damage(f"truncated to {length}", data[:length], "truncated")


def _swapped(data: bytes, _: SigningKey, draw: random.Random, number: int) -> Damage:
    files = unpack(data)
    one, two = draw.sample(sorted(files.keys() - {"bundle.json", "bundle.sig"}), 2)
    files[one], files[two] = files[two], files[one]
    return Damage(f"{one} and {two} swapped", pack(files), "changed: '")


def _added(data: bytes, _: SigningKey, draw: random.Random, number: int) -> Damage:
    files = unpack(data)
    name = draw.choice(("evil.py", "wheels/evil-1-py3-none-any.whl", ".git/hook", "bundle.txt"))
    files[f"{number}{name}" if number else name] = draw.randbytes(10)
    return Damage(f"{name} added", pack(files), "added: '")


def _removed(data: bytes, _: SigningKey, draw: random.Random, number: int) -> Damage:
    files = unpack(data)
    name = draw.choice(sorted(files))
    del files[name]
    reason = "unsigned" if name == "bundle.sig" else f"missing: '{name}'"
    return Damage(f"{name} removed", pack(files), reason)


def _outside(data: bytes, _: SigningKey, draw: random.Random, number: int) -> Damage:
    name = _HOSTILE_NAMES[number % len(_HOSTILE_NAMES)]
    packed = pack({**unpack(data), name: b"x"})
    return Damage(f"name {name!r}", packed, "outside its folder|not allowed in a bundle")


def _link(data: bytes, _: SigningKey, draw: random.Random, number: int) -> Damage:
    stream = io.BytesIO()
    files = unpack(data)
    linked = draw.choice(sorted(files))
    with zipfile.ZipFile(stream, "w") as package:
        for name, content in files.items():
            info = zipfile.ZipInfo(name)
            mode = stat.S_IFLNK | 0o777 if name == linked else stat.S_IFREG | 0o644
            info.external_attr = mode << 16
            package.writestr(info, b"/etc/passwd" if name == linked else content)
    return Damage(f"{linked} is a link", stream.getvalue(), "changed: the archive's")


def _bomb(data: bytes, _: SigningKey, draw: random.Random, number: int) -> Damage:
    """Return an archive that unpacks to a lot, or claims to."""
    if number % 2:
        place = data.index(b"PK\1\2")
        changed = bytearray(data)
        changed[place + 24 : place + 28] = draw.randrange(1 << 30, 1 << 32).to_bytes(4, "little")
        return Damage("claims to be large", bytes(changed), "changed|truncated")
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in unpack(data).items():
            package.writestr(name, content)
        package.writestr(f"zeros{number}", b"\0" * 3_000_000)
    return Damage("compressed", stream.getvalue(), "compressed, which a bundle's files never are")


def _edited(data: bytes, other: SigningKey, draw: random.Random, number: int) -> Damage:
    files = unpack(data)
    manifest = json.loads(files["bundle.json"])
    edit = number % len(_EDITS)
    _EDITS[edit](manifest)
    files["bundle.json"] = json.dumps(manifest).encode()
    return Damage(f"manifest edited {edit}", pack(files), r"changed: 'bundle\.json'")


def _signed_by_another(data: bytes, other: SigningKey, draw: random.Random, n: int) -> Damage:
    """Return a bundle with a file changed, whose manifest and signature agree with the change."""
    import hashlib

    files = unpack(data)
    manifest = json.loads(files["bundle.json"])
    entry = draw.choice(manifest["files"])
    files[entry["path"]] = draw.randbytes(40)
    digest = hashlib.sha256(files[entry["path"]]).hexdigest()
    entry.update(sha256=digest, size=40)
    files["bundle.json"] = json.dumps(manifest).encode()
    digests = {file["path"]: file["sha256"] for file in manifest["files"]}
    digests["bundle.json"] = hashlib.sha256(files["bundle.json"]).hexdigest()
    files["bundle.sig"] = signature_text("forged", digests, other, ignored=["bundle.sig"])
    reason = "signed by a key that is not trusted"
    if n % 2:  # a forger names the trusted key
        good = json.loads(unpack(data)["bundle.sig"])["verificationMaterial"]
        forged = {**json.loads(files["bundle.sig"]), "verificationMaterial": good}
        files["bundle.sig"] = json.dumps(forged).encode()
        reason = "the signature does not match"
    return Damage(f"{entry['path']} forged", pack(files), reason)


_EDITS: tuple[Callable[[dict[str, object]], object], ...] = (
    lambda m: m.update(version="9.9"),
    lambda m: m.update(date="2030-01-01"),
    lambda m: m.update(targets=[]),
    lambda m: m["files"].pop(),  # type: ignore[attr-defined]
    lambda m: m["files"][0].update(size=1),  # type: ignore[index]
    lambda m: m.update(format="cybersecqwen-bundle/2"),
    lambda m: m.update(name="other"),
)
_KINDS = (
    *(_flipped, _truncated, _swapped, _added, _removed),
    *(_outside, _link, _bomb, _edited, _signed_by_another),
)
