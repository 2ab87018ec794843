"""A whole bundle of a few files: a product of one module, and pip as Python ships it."""

from __future__ import annotations

import base64
import ensurepip
import hashlib
import zipfile
from datetime import date
from pathlib import Path

from cybersecqwen.release.create import BundleContents, BundleWritten, create_bundle
from cybersecqwen.release.signing import SigningKey, make_key
from cybersecqwen.release.verifier import installing

HERE = (installing.this_platform(), installing.this_python())


class Site:
    """A site's key, its packages, and what it makes of them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        self.private, self.public = make_key(root / "site.pem")
        self.key = SigningKey.read(self.private)
        self.wheels = root / "wheels"
        self.wheels.mkdir()
        pip = next((Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl"))
        (self.wheels / pip.name).write_bytes(pip.read_bytes())
        digest = hashlib.sha256(pip.read_bytes()).hexdigest()
        self.lock = root / "lock.txt"
        self.lock.write_text(f"pip=={pip.name.split('-')[1]} --hash=sha256:{digest}\n")

    def make(
        self,
        output: Path,
        version: str = "1.0",
        *,
        day: date = date(2026, 11, 29),
        targets: tuple[tuple[str, str], ...] = (HERE,),
        key: SigningKey | None = None,
        signed: bool = True,
        since: Path | None = None,
        part_bytes: int = 0,
        models: tuple[Path, ...] = (),
        knowledge: Path | None = None,
    ) -> BundleWritten:
        """Make a bundle of the product in a version."""
        contents = BundleContents(
            package=write_product(self.root / "product", version),
            lock=self.lock,
            targets=targets,
            day=day,
            wheels=self.wheels,
            offline=True,
            models=models,
            knowledge=knowledge,
        )
        signer = (key or self.key) if signed else None
        return create_bundle(contents, output, signer, since=since, part_bytes=part_bytes)


def write_product(folder: Path, version: str) -> Path:
    """Write a wheel whose program prints its version."""
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"cybersecqwen-{version}-py3-none-any.whl"
    info = f"cybersecqwen-{version}.dist-info"
    files = {
        "cybersecqwen/__init__.py": "",
        "cybersecqwen/__main__.py": f"print('cybersecqwen {version}')\n",
        "cybersecqwen/knowledge/shipped/manifest.json": '{"sources": [{"name": "cwe"}]}',
        f"{info}/METADATA": (
            f"Metadata-Version: 2.4\nName: cybersecqwen\nVersion: {version}\n"
            "Summary: A product of one module\nLicense-Expression: Apache-2.0\n"
        ),
        f"{info}/licenses/LICENSE": "Apache License\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},{_digest(text)},{len(text)}\n" for name, text in files.items())
    files[f"{info}/RECORD"] = record + f"{info}/RECORD,,\n"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    return wheel


def _digest(text: str) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest())
    return f"sha256={digest.rstrip(b'=').decode()}"
