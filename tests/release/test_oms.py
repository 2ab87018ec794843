"""OpenSSF Model Signing: what it accepts and refuses, and the other implementation of it."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import model_signing
import pytest

from certificate_chains import Holder
from cybersecqwen.core.errors import InputError
from cybersecqwen.release.signing import CURVES, SigningKey, make_key, sign_files
from cybersecqwen.release.verifier import Refusal, oms
from cybersecqwen.release.verifier.oms import Trust, verify_files


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    (folder / "sub" / ".cache").mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "weights one.bin").write_bytes(bytes(range(256)) * 9)
    (folder / "empty").write_bytes(b"")
    (folder / "模型.bin").write_bytes(b"unicode")
    (folder / "sub" / ".cache" / "part.bin").write_bytes(b"hidden")
    (folder / "sub" / ".gitignore").write_text("not at the top: signed\n")
    (folder / ".gitignore").write_text("at the top: not signed\n")
    return folder


@pytest.fixture(params=["p256", "p384", "p521"])
def keys(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Path]:
    return make_key(tmp_path / "site.pem", request.param)


def _other(*words: object) -> subprocess.CompletedProcess[str]:
    """Run the other implementation's command."""
    command = [sys.executable, "-m", "model_signing", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_other_implementation_verifies_ours(
    model: Path, keys: tuple[Path, Path], tmp_path: Path
) -> None:
    private, public = keys
    signature = tmp_path / "model.sig"
    sign_files(model, signature, SigningKey.read(private))
    arguments = ("verify", "key", model, "--signature", signature, "--public_key", public)
    assert _other(*arguments).returncode == 0
    (model / "config.json").write_text("[]")
    assert _other(*arguments).returncode != 0


def test_we_verify_the_other_implementations(
    model: Path, keys: tuple[Path, Path], tmp_path: Path
) -> None:
    private, public = keys
    signature = tmp_path / "model.sig"
    arguments = ("sign", "key", model, "--signature", signature, "--private_key", private)
    assert _other(*arguments).returncode == 0
    trust = Trust.of_files([public])
    assert len(verify_files(model, signature, trust).digests) == 6
    (model / "config.json").write_text("[]")
    with pytest.raises(Refusal, match=r"changed: 'config\.json'"):
        verify_files(model, signature, trust)


@pytest.mark.parametrize(("hashed", "named"), [("sha256", "sha256"), ("blake2", "blake2b")])
def test_we_verify_the_other_implementations_shards(
    model: Path, tmp_path: Path, hashed: Any, named: str
) -> None:
    private, public = make_key(tmp_path / "site.pem")
    signature = tmp_path / "model.sig"
    hashing = model_signing.hashing.Config().use_shard_serialization(
        hashing_algorithm=hashed, shard_size=500
    )
    signing = model_signing.signing.Config().use_elliptic_key_signer(private_key=private)
    signing.set_hashing_config(hashing).sign(model, signature)
    trust = Trust.of_files([public])
    statement = verify_files(model, signature, trust)
    assert statement.shard_bytes == 500
    assert statement.hash_name == named
    (model / "weights one.bin").write_bytes(bytes(range(256)) * 9 + b".")
    with pytest.raises(Refusal, match=r"changed: 'weights one\.bin'"):
        verify_files(model, signature, trust)


def test_certificates_both_ways(model: Path, tmp_path: Path) -> None:
    root = Holder("Root", authority=True)
    middle = Holder("Middle", root, authority=True)
    key, leaf = Holder("Signer", middle).write(tmp_path / "signer")
    _, between = middle.write(tmp_path / "middle")
    _, anchor = root.write(tmp_path / "root")
    signature, trust = tmp_path / "model.sig", Trust.of_files(authorities=[anchor])
    verification = ("--signature", signature, "--certificate_chain", anchor)

    sign_files(model, signature, SigningKey.read(key, chain=[leaf, between]))
    assert _other("verify", "certificate", model, *verification).returncode == 0
    assert "Signer" in verify_files(model, signature, trust).signer

    signer = ("--private_key", key, "--signing_certificate", leaf, "--certificate_chain", between)
    done = _other("sign", "certificate", model, "--signature", signature, *signer)
    assert done.returncode == 0, done.stderr
    assert "Signer" in verify_files(model, signature, trust).signer

    _, stranger = Holder("Root", authority=True).write(tmp_path / "stranger")
    with pytest.raises(Refusal, match="does not lead to a trusted one"):
        verify_files(model, signature, Trust.of_files(authorities=[stranger]))


def test_the_same_files_give_the_same_signature(model: Path, tmp_path: Path) -> None:
    key = SigningKey.read(make_key(tmp_path / "site.pem")[0])
    first, second = tmp_path / "first.sig", tmp_path / "second.sig"
    sign_files(model, first, key)
    sign_files(model, second, key)
    assert first.read_bytes() == second.read_bytes()


class Signed:
    """A signature whose statement and bundle can be changed, with the key to sign it again."""

    def __init__(self, model: Path, folder: Path) -> None:
        self.private, self.public = make_key(folder / "site.pem")
        self.key, self.model, self.path = SigningKey.read(self.private), model, folder / "m.sig"
        sign_files(model, self.path, self.key)
        self.bundle: dict[str, Any] = json.loads(self.path.read_bytes())
        envelope = self.bundle["dsseEnvelope"]
        self.statement: dict[str, Any] = json.loads(base64.b64decode(envelope["payload"]))

    def sign_again(self) -> None:
        """Sign the statement as it is now, by a key that is trusted."""
        predicate = self.statement["predicate"]
        digests = [bytes.fromhex(r["digest"]) for r in predicate["resources"]] if predicate else []
        root = hashlib.sha256(b"".join(digests)).hexdigest()
        self.statement["subject"][0]["digest"]["sha256"] = root
        payload = json.dumps(self.statement).encode()
        signature = self.key.sign(oms.pre_authentication(payload))
        envelope = self.bundle["dsseEnvelope"]
        envelope["payload"] = base64.b64encode(payload).decode()
        envelope["signatures"][0]["sig"] = base64.b64encode(signature).decode()

    def verify(self) -> oms.Statement:
        self.path.write_text(json.dumps(self.bundle))
        return verify_files(self.model, self.path, Trust.of_files([self.public]))


@pytest.fixture
def signed(model: Path, tmp_path: Path) -> Signed:
    return Signed(model, tmp_path)


_ACCEPTED: dict[str, Callable[[dict[str, Any]], Any]] = {
    "no keyid": lambda b: b["dsseEnvelope"]["signatures"][0].pop("keyid"),
    "keyid null": lambda b: b["dsseEnvelope"]["signatures"][0].update(keyid=None),
    "no tlogEntries": lambda b: b["verificationMaterial"].pop("tlogEntries"),
    "key by rawBytes": lambda b: b["verificationMaterial"].update(publicKey={"rawBytes": "AA=="}),
    "unknown field": lambda b: b.update(note="ignored"),
}


@pytest.mark.parametrize("kind", _ACCEPTED)
def test_accepted_variants_of_the_bundle(signed: Signed, kind: str) -> None:
    _ACCEPTED[kind](signed.bundle)
    assert signed.verify().name == "model"


_STATEMENTS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "other subject name": lambda s: s["subject"][0].update(name="other"),
    "no ignore_paths": lambda s: s["predicate"]["serialization"].pop("ignore_paths"),
    "more fields of a resource": lambda s: s["predicate"]["resources"][0].update(uri="x:y"),
}


@pytest.mark.parametrize("kind", _STATEMENTS)
def test_accepted_variants_of_the_statement(signed: Signed, kind: str) -> None:
    _STATEMENTS[kind](signed.statement)
    signed.sign_again()
    assert len(signed.verify().digests) == 6


_BAD_BUNDLES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "media type": lambda b: b.update(mediaType="application/json"),
    "dsseEnvelope is missing": lambda b: b.pop("dsseEnvelope"),
    "verificationMaterial is missing": lambda b: b.pop("verificationMaterial"),
    "exactly one signature": lambda b: b["dsseEnvelope"].update(signatures=[]),
    "payload is of type": lambda b: b["dsseEnvelope"].update(payloadType="text/plain"),
    "is not Base64": lambda b: b["dsseEnvelope"]["signatures"][0].update(sig="*"),
    "does not match": lambda b: b["dsseEnvelope"].update(payload="e30="),
    "key that is not trusted": lambda b: b["verificationMaterial"]["publicKey"].update(hint="00"),
    "not verified offline": lambda b: b.update(
        verificationMaterial={"certificate": {"rawBytes": "AA=="}, "tlogEntries": [{}]}
    ),
    "no certificate is trusted": lambda b: b.update(
        verificationMaterial={"x509CertificateChain": {"certificates": [{"rawBytes": "AA=="}]}}
    ),
}


@pytest.mark.parametrize("reason", _BAD_BUNDLES)
def test_refused_bundles(signed: Signed, reason: str) -> None:
    _BAD_BUNDLES[reason](signed.bundle)
    with pytest.raises(Refusal, match=reason):
        signed.verify()


def _named(name: str) -> Callable[[dict[str, Any]], Any]:
    return lambda s: s["predicate"]["resources"][0].update(name=name)


_BAD_STATEMENTS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "_type is": lambda s: s.update(_type="https://in-toto.io/Statement/v0.1"),
    "predicateType is": lambda s: s.update(predicateType="https://model_signing/Digests/v0.1"),
    "predicate is missing": lambda s: s.update(predicate=[]),
    "lists no files": lambda s: s["predicate"].update(resources=[]),
    "serialization is missing": lambda s: s["predicate"].pop("serialization"),
    "method that is not known": lambda s: s["predicate"]["serialization"].update(method="tree"),
    "shard_size is": lambda s: s["predicate"]["serialization"].update(method="shards"),
    "hash that Python does not have": lambda s: s["predicate"]["serialization"].update(
        hash_type="blake3"
    ),
    "links were followed": lambda s: s["predicate"]["serialization"].pop("allow_symlinks"),
    "exactly one subject": lambda s: s["subject"].append(s["subject"][0]),
    "listed twice": lambda s: s["predicate"]["resources"].append(s["predicate"]["resources"][0]),
    "outside its folder: '../config.json'": _named("../config.json"),
    "outside its folder: '/config.json'": _named("/config.json"),
    "outside its folder: './config.json'": _named("./config.json"),
    "uses hash 'md5'": lambda s: s["predicate"]["resources"][0].update(algorithm="md5"),
    "missing: 'zz'": lambda s: s["predicate"]["resources"].append(
        {"name": "zz", "algorithm": "sha256", "digest": "00" * 32}
    ),
}


@pytest.mark.parametrize("reason", _BAD_STATEMENTS)
def test_refused_statements_though_signed_by_a_trusted_key(signed: Signed, reason: str) -> None:
    _BAD_STATEMENTS[reason](signed.statement)
    signed.sign_again()
    with pytest.raises(Refusal, match=reason):
        signed.verify()


def test_a_root_digest_of_other_files_is_refused(signed: Signed) -> None:
    signed.sign_again()
    signed.statement["subject"][0]["digest"]["sha256"] = "00" * 32
    payload = json.dumps(signed.statement).encode()
    signature = signed.key.sign(oms.pre_authentication(payload))
    signed.bundle["dsseEnvelope"]["payload"] = base64.b64encode(payload).decode()
    signed.bundle["dsseEnvelope"]["signatures"][0]["sig"] = base64.b64encode(signature).decode()
    with pytest.raises(Refusal, match="root digest"):
        signed.verify()


@pytest.mark.parametrize("text", ["", "{", "[]", "\x00\xff", '{"a": 1, "a": 2}', "[" * 100_000])
def test_no_bundle_at_all_is_refused(signed: Signed, text: str) -> None:
    signed.path.write_text(text)
    with pytest.raises(Refusal):
        verify_files(signed.model, signed.path, Trust.of_files([signed.public]))


def test_files_changed_missing_and_added(signed: Signed) -> None:
    trust = Trust.of_files([signed.public])
    (signed.model / "injected.bin").write_bytes(b"new")
    with pytest.raises(Refusal, match=r"added: 'injected\.bin'"):
        signed.verify()
    assert verify_files(signed.model, signed.path, trust, ignore_unsigned=True)
    (signed.model / "config.json").write_text("changed")
    with pytest.raises(Refusal, match=r"changed: 'config\.json'"):
        verify_files(signed.model, signed.path, trust, ignore_unsigned=True)
    (signed.model / "config.json").unlink()
    with pytest.raises(Refusal, match=r"missing: 'config\.json'"):
        verify_files(signed.model, signed.path, trust, ignore_unsigned=True)


def test_links_are_followed_only_where_the_signer_did(signed: Signed, tmp_path: Path) -> None:
    (signed.model / "link").symlink_to(tmp_path / "site.pem")
    with pytest.raises(Refusal, match="a symbolic link: 'link'"):
        signed.verify()
    with pytest.raises(InputError, match="a symbolic link"):
        sign_files(signed.model, tmp_path / "again.sig", signed.key)
    arguments = ("--signature", signed.path, "--private_key", signed.private, "--allow_symlinks")
    assert _other("sign", "key", signed.model, *arguments).returncode == 0
    trust = Trust.of_files([signed.public])
    assert "link" in verify_files(signed.model, signed.path, trust).digests
    (signed.model / "sub" / "back").symlink_to(signed.model)
    with pytest.raises(Refusal, match="leads back"):
        verify_files(signed.model, signed.path, trust)


def test_signed_with_another_key(signed: Signed, tmp_path: Path) -> None:
    _, other = make_key(tmp_path / "other.pem")
    with pytest.raises(Refusal, match="by a key that is not trusted here"):
        verify_files(signed.model, signed.path, Trust.of_files([other]))
    del signed.bundle["verificationMaterial"]["publicKey"]["hint"]
    signed.path.write_text(json.dumps(signed.bundle))
    with pytest.raises(Refusal, match="does not match"):
        verify_files(signed.model, signed.path, Trust.of_files([other]))


def test_keys_are_private_and_never_overwritten(tmp_path: Path) -> None:
    private, public = make_key(tmp_path / "k.pem", "p384", "secret")
    assert private.stat().st_mode & 0o077 == 0
    assert SigningKey.read(private, "secret").public_pem() == public.read_bytes()
    with pytest.raises(InputError, match="cannot be read"):
        SigningKey.read(private)
    with pytest.raises(InputError, match="never overwritten"):
        make_key(tmp_path / "k.pem")
    before = private.read_bytes(), public.read_bytes()
    public.unlink()  # as a kill between the two leaves it
    make_key(tmp_path / "k.pem", password="secret")
    assert (private.read_bytes(), public.read_bytes()) == before
    assert set(CURVES) == {"p256", "p384", "p521"}


def test_a_single_file(tmp_path: Path) -> None:
    """Ours has the file's name, as the specification wants; the other implementation writes '.'."""
    private, public = make_key(tmp_path / "site.pem")
    model, signature = tmp_path / "model.gguf", tmp_path / "model.sig"
    model.write_bytes(b"weights")
    trust = Trust.of_files([public])
    sign_files(model, signature, SigningKey.read(private))
    assert verify_files(model, signature, trust).digests.keys() == {"model.gguf"}
    arguments = ("sign", "key", model, "--signature", signature, "--private_key", private)
    assert _other(*arguments).returncode == 0
    assert verify_files(model, signature, trust).digests.keys() == {"."}
    model.write_bytes(b"other")
    with pytest.raises(Refusal, match=r"changed: '\.'"):
        verify_files(model, signature, trust)
