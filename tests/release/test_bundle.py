"""Bundles: made, checked, installed, updated, and refused for the right reason."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from bundle_damage import damaged
from cybersecqwen.core.errors import InputError
from cybersecqwen.release.create import read_bundle_manifest
from cybersecqwen.release.diff import compare_manifests
from cybersecqwen.release.signing import SigningKey, make_key
from cybersecqwen.release.verifier import Refusal, installing
from cybersecqwen.release.verifier.checking import check_bundle, open_bundle
from cybersecqwen.release.verifier.manifest import MANIFEST
from cybersecqwen.release.verifier.oms import Trust
from small_bundle import HERE, Site

KILLS = int(os.environ.get("CYBERSECQWEN_KILLS", "3"))
DAMAGES = int(os.environ.get("CYBERSECQWEN_DAMAGES", "20"))  # of each of ten kinds
# Windows runs in the other folders of its file names; what is tested here is POSIX's.
pytestmark = pytest.mark.skipif(os.name == "nt", reason="tests the POSIX layout")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def trust(site: Site) -> Trust:
    return Trust.of_files([site.public])


@pytest.fixture(scope="module")
def first(site: Site) -> Path:
    site.make(site.root / "first.zip", "1.0")
    return site.root / "first.zip"


@pytest.fixture(scope="module")
def second(site: Site) -> Path:
    site.make(site.root / "second.zip", "1.1")
    return site.root / "second.zip"


@pytest.fixture(autouse=True)
def quick_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pip not compile itself again and again; processes of their own still have it do so."""
    run = installing._run

    def uncompiled(command: list[str | Path], failure: str) -> None:
        run([*command, "--no-compile"] if "install" in command else command, failure)

    monkeypatch.setattr(installing, "_run", uncompiled)


def _check(path: Path, trust: Trust | None, **options: bool) -> str:
    with open_bundle(path) as source:
        return check_bundle(source, trust, **options).manifest.version


def _run(launcher: Path) -> str:
    return subprocess.run([launcher], capture_output=True, text=True, check=True).stdout.strip()


def test_the_same_inputs_give_the_same_bytes(site: Site, first: Path, tmp_path: Path) -> None:
    site.make(tmp_path / "again.zip", "1.0")
    assert (tmp_path / "again.zip").read_bytes() == first.read_bytes()


def test_runs_by_itself_with_nothing_but_python(site: Site, first: Path, tmp_path: Path) -> None:
    """The interpreter is started without the packages that are installed here."""
    base = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"
    python = [str(base if base.exists() else sys.executable), "-I", "-S"]
    words = [first, "install", "--key", site.public, "--to", tmp_path / "opt"]
    environment = {"PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [*python, *words], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    assert _run(tmp_path / "opt" / "bin" / "cybersecqwen") == "cybersecqwen 1.0"
    words = [first, "verify", "--json", "--key", site.private.with_suffix(".pub.pem")]
    done = subprocess.run([*python, *words], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["version"] == "1.0"
    data = bytearray(first.read_bytes())
    data[data.index(b"Apache License") + 3] ^= 1
    (tmp_path / "bad.zip").write_bytes(data)
    words = [tmp_path / "bad.zip", "verify", "--key", site.public]
    done = subprocess.run([*python, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert re.fullmatch(r"refused: changed: '.*LICENSE'\n", done.stderr)


def test_the_other_implementation_verifies_a_bundle(
    site: Site, first: Path, trust: Trust, tmp_path: Path
) -> None:
    from cybersecqwen.apps.bundle import unpack_bundle

    tree = tmp_path / "tree"
    unpack_bundle(first, tree, trust, allow_unsigned=False)
    assert _check(tree, trust) == "1.0"
    command = [sys.executable, "-m", "model_signing", "verify", "key", str(tree)]
    command += ["--signature", str(tree / "bundle.sig"), "--public_key", str(site.public)]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    (tree / "link").symlink_to("/etc/passwd")
    with pytest.raises(Refusal, match="a symbolic link"):
        _check(tree, trust)


def test_damaged_bundles_are_refused_and_nothing_is_written(
    first: Path, trust: Trust, tmp_path: Path
) -> None:
    other = SigningKey.read(make_key(tmp_path / "other.pem")[0])
    bundle, root = tmp_path / "bundle.zip", tmp_path / "opt"
    wrong = []
    cases = list(damaged(first.read_bytes(), other, DAMAGES))
    assert len(cases) == 10 * DAMAGES
    for case in cases:
        bundle.write_bytes(case.data)
        try:
            installing.install(bundle, root, trust)
            wrong.append(f"{case.name}: accepted")
        except Refusal as refusal:
            if not re.search(case.reason, str(refusal)):
                wrong.append(f"{case.name}: {refusal}")
        if root.exists():
            wrong.append(f"{case.name}: something was written")
    assert wrong == []


def test_refused_unless_told(site: Site, second: Path, trust: Trust, tmp_path: Path) -> None:
    unsigned, foreign, old = (tmp_path / name for name in ("u.zip", "f.zip", "o.zip"))
    site.make(unsigned, signed=False)
    with pytest.raises(Refusal, match=r"unsigned: there is no 'bundle\.sig'"):
        _check(unsigned, trust)
    assert _check(unsigned, None, allow_unsigned=True) == "1.0"
    with pytest.raises(Refusal, match="no key or certificate is trusted here"):
        _check(second, Trust())
    site.make(foreign, targets=(("windows-x86_64", "3.11"),))
    reason = "built for another platform: windows-x86_64 with Python 3.11; this is"
    with pytest.raises(Refusal, match=reason):
        installing.install(foreign, tmp_path / "opt", trust)
    assert not (tmp_path / "opt").exists()
    installing.install(second, tmp_path / "opt", trust)
    site.make(old, "1.0", day=date(2026, 12, 30))
    with pytest.raises(Refusal, match=r"older than what is installed: 1\.0 of 2026-12-30"):
        installing.install(old, tmp_path / "opt", trust)
    assert _run(tmp_path / "opt/bin/cybersecqwen") == "cybersecqwen 1.1"
    installing.install(old, tmp_path / "opt", trust, allow_older=True)
    assert _run(tmp_path / "opt/bin/cybersecqwen") == "cybersecqwen 1.0"


def test_installs_beside_something_else_only_when_empty(
    first: Path, trust: Trust, tmp_path: Path
) -> None:
    (tmp_path / "opt").mkdir()
    (tmp_path / "opt" / "precious").write_text("x")
    with pytest.raises(Refusal, match="holds something else"):
        installing.install(first, tmp_path / "opt", trust)


def test_versions_are_ordered() -> None:
    from cybersecqwen.release.verifier.manifest import Manifest

    def key(version: str, day: int = 1) -> object:
        return Manifest("x", version, date(2026, 1, day), (), {}, {}).age_key

    ordered = ["0.9", "0.10.0a1", "0.10.0rc1", "0.10.0", "0.10.1", "1.0"]
    assert sorted(random.Random(0).sample(ordered, 6), key=key) == ordered  # type: ignore[arg-type]
    assert key("1.0", 2) > key("1.0", 1)  # type: ignore[operator]


def test_an_update_carries_only_what_changed(
    site: Site, first: Path, second: Path, trust: Trust, tmp_path: Path
) -> None:
    update = tmp_path / "update.zip"
    written = site.make(update, "1.1", since=first)
    assert written.carried < len(written.manifest.files)
    assert update.stat().st_size < second.stat().st_size / 10  # pip is not carried again
    assert written.manifest == read_bundle_manifest(second)
    with pytest.raises(Refusal, match="an update for a version that is not installed here"):
        installing.install(update, tmp_path / "empty", trust)
    root = tmp_path / "opt"
    installing.install(first, root, trust)
    words = [update, "install", "--json", "--key", site.public, "--to", root]
    done = subprocess.run([sys.executable, "-I", *words], capture_output=True, check=True)
    assert json.loads(done.stdout)["before"] == read_bundle_manifest(first).identity
    assert _run(root / "bin/cybersecqwen") == "cybersecqwen 1.1"
    with open_bundle(root / "current" / "bundle") as source:
        whole = check_bundle(source, trust)
    assert whole.manifest == read_bundle_manifest(second)
    assert not whole.from_base


def test_an_update_of_a_changed_installation_is_refused(
    site: Site, first: Path, trust: Trust, tmp_path: Path
) -> None:
    site.make(tmp_path / "update.zip", "1.1", since=first)
    installing.install(first, tmp_path / "opt", trust)
    wheel = next((tmp_path / "opt/current/bundle/wheels").glob("pip-*.whl"))
    wheel.write_bytes(wheel.read_bytes()[:-1] + b"x")
    with pytest.raises(Refusal, match="changed: 'wheels/pip-"):
        installing.install(tmp_path / "update.zip", tmp_path / "opt", trust)


def test_parts(site: Site, first: Path, trust: Trust, tmp_path: Path) -> None:
    site.make(tmp_path / "media", "1.0", part_bytes=500_000)
    parts = sorted((tmp_path / "media").glob("media.*"))
    assert b"".join(part.read_bytes() for part in parts) == first.read_bytes()
    assert _check(tmp_path / "media", trust) == "1.0"
    runner = [sys.executable, "-I", "-S", str(tmp_path / "media" / "verify.pyz"), "verify"]
    assert subprocess.run([*runner, "--key", str(site.public)], check=False).returncode == 0
    parts[1].rename(tmp_path / "elsewhere")
    with pytest.raises(Refusal, match=r"missing: part media\.002"):
        _check(tmp_path / "media", trust)


def test_the_key_is_kept_for_updates(site: Site, first: Path, second: Path, tmp_path: Path) -> None:
    from cybersecqwen.apps.bundle import install_bundle

    root = tmp_path / "opt"
    with pytest.raises(InputError, match="no key or certificate is trusted here"):
        install_bundle(second, root)
    install_bundle(first, root, keys=[site.public])
    assert install_bundle(second, root)["signed_by"]
    foreign = tmp_path / "foreign.zip"
    site.make(foreign, "2.0", key=SigningKey.read(make_key(tmp_path / "other.pem")[0]))
    with pytest.raises(InputError, match="signed by a key that is not trusted"):
        install_bundle(foreign, root)
    assert _run(root / "bin/cybersecqwen") == "cybersecqwen 1.1"


def test_differences(first: Path, second: Path) -> None:
    difference = compare_manifests(read_bundle_manifest(first), read_bundle_manifest(second))
    assert difference.newer
    changes = {(change.what, change.name): change for change in difference.changes}
    assert changes["package", "cybersecqwen"].before == "1.0"
    assert changes["package", "cybersecqwen"].after == "1.1"
    assert ("package", "pip") not in changes
    assert ("file", "sbom.cdx.json") in changes


def test_the_bill_of_materials_is_valid_and_whole(
    site: Site, trust: Trust, tmp_path: Path, tiny_model: Path
) -> None:
    knowledge = tmp_path / "kb"
    knowledge.mkdir()
    (knowledge / "manifest.json").write_text('{"version": "4.19"}')
    bundle = tmp_path / "b.zip"
    site.make(bundle, models=(tiny_model,), knowledge=knowledge)
    with open_bundle(bundle) as source:
        text = b"".join(source.read("sbom.cdx.json")).decode()
        names = source.sizes().keys()
    assert JsonStrictValidator(SchemaVersion.V1_7).validate_str(text) is None
    components = {component["bom-ref"]: component for component in json.loads(text)["components"]}
    wheels = {name.removeprefix("wheels/") for name in names if name.startswith("wheels/")}
    assert wheels <= components.keys()
    models = [c for c in components.values() if c["type"] == "machine-learning-model"]
    assert [model["name"] for model in models] == [
        json.loads((tiny_model / "config.json").read_bytes())["name"]
    ]
    assert models[0]["modelCard"]["modelParameters"]["approach"]["type"] == "supervised"
    assert components["data:knowledge"]["type"] == "data"
    assert components["data:knowledge (shipped)"]["description"] == '[{"name": "cwe"}]'


def test_only_one_installation_at_a_time(first: Path, trust: Trust, tmp_path: Path) -> None:
    import fcntl

    root = tmp_path / "opt"
    (root / "versions").mkdir(parents=True)
    with (root / ".lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(Refusal, match="another installation is under way"):
            installing.install(first, root, trust)


def test_killed_at_any_moment_the_old_version_or_the_new_one_runs(
    site: Site, first: Path, second: Path, trust: Trust, tmp_path: Path
) -> None:
    root = tmp_path / "opt"
    words = ["install", "--key", str(site.public), "--to", str(root)]
    started = time.monotonic()
    subprocess.run([sys.executable, str(first), *words], check=True, capture_output=True)
    took = time.monotonic() - started
    command = [sys.executable, str(second), *words]
    draw = random.Random(20)
    seen = []
    for _ in range(KILLS):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            process.wait(draw.uniform(0, took))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        said = _run(root / "bin" / "cybersecqwen")
        current = installing.current_version(root)
        assert current is not None
        assert f"cybersecqwen {installing.installed_manifest(current).version}" == said
        assert (current / installing.COMPLETE).exists()
        seen.append(said)
        if said != "cybersecqwen 1.0":  # go back, and start over
            installing.install(first, root, trust, allow_older=True)
            for version in (root / "versions").iterdir():
                if version != installing.current_version(root):
                    (version / installing.COMPLETE).unlink(missing_ok=True)
    assert set(seen) <= {"cybersecqwen 1.0", "cybersecqwen 1.1"}
    installing.install(second, root, trust)
    assert _run(root / "bin" / "cybersecqwen") == "cybersecqwen 1.1"


def test_a_package_changed_on_the_medium_after_the_check_is_refused(
    first: Path, trust: Trust, tmp_path: Path
) -> None:
    """What is unpacked is compared again, so that a check of other bytes does not count."""
    with open_bundle(first) as source:
        manifest = check_bundle(source, trust).manifest
    file = manifest.files["README.txt"]
    with pytest.raises(Refusal, match="changed while it was read"):
        installing._copy(_Changed(), file, tmp_path / "README.txt")


class _Changed:
    def sizes(self) -> dict[str, int]:
        return {}

    def read(self, name: str) -> list[bytes]:
        return [b"other"]


def test_manifest_lists_everything_else(first: Path) -> None:
    with open_bundle(first) as source:
        names = set(source.sizes())
    assert names - {MANIFEST, "bundle.sig"} == set(read_bundle_manifest(first).files)
    assert HERE
