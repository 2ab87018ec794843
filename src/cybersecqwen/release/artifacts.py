"""Facts about the models and data in a bundle, read from their own files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cybersecqwen.core.files import digest_of
from cybersecqwen.release.sbom import Artifact

_DIGEST_OF = "sha256 of "  # how a model's provenance names the digest of a file it was made from


def shipped_models(package: Path) -> Iterator[Path]:
    """Yield each folder of a specialist inside an unpacked package, in order of its path."""
    for config in sorted(package.rglob("config.json")):
        if any(config.parent.glob("*.onnx")):
            yield config.parent


def shipped_data(package: Path) -> Iterator[Path]:
    """Yield each folder of data inside an unpacked package that says what it is made from."""
    for manifest in sorted(package.rglob("manifest.json")):
        if _json(manifest).get("sources"):
            yield manifest.parent


def describe_model(path: Path, inside: str) -> Artifact:
    """Describe a model from its folder or file.

    Args:
        path: A specialist's folder, a Hugging Face folder, or a single file such as a GGUF.
        inside: Where the bundle has it.
    """
    config = _json(path / "config.json") if path.is_dir() else {}
    provenance = {str(k): str(v) for k, v in dict(config.get("provenance", {})).items()}
    base = provenance.get("base", "")
    return Artifact(
        kind="model",
        name=str(config.get("name") or path.stem),
        version=str(config.get("version", "")),
        description=f"Fine-tuned from {base}" if base else "",
        paths=(inside,),
        sha256=digest_of(path),
        licence="Apache-2.0" if "labellers" in config else "",
        made_from={
            name.removeprefix(_DIGEST_OF): value
            for name, value in provenance.items()
            if name.startswith(_DIGEST_OF)
        },
        metrics=tuple(_metrics(_json(path / "training.json") if path.is_dir() else {})),
        task="text-classification" if "labellers" in config else "",
        limits=tuple(_limits(path / "README.md")),
    )


def describe_data(path: Path, inside: str, name: str) -> Artifact:
    """Describe a folder of data, such as a knowledge base or a store of records."""
    manifest = _json(path / "manifest.json") if path.is_dir() else {}
    versions = manifest.get("sources") or manifest.get("versions") or {}
    stated = json.dumps(versions, sort_keys=True) if versions else ""
    return Artifact(
        kind="data",
        name=name,
        version=str(manifest.get("version", "")),
        description=stated[:500],
        paths=(inside,),
        sha256=digest_of(path),
    )


def _metrics(training: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield each figure of a specialist's validation, for the form that ships."""
    shipped = training.get("results", {}).get("int8", {})
    for labeller, figures in sorted(shipped.items()):
        if not isinstance(figures, dict):
            continue
        for name in ("accuracy", "top5", "ece", "coverage"):
            if isinstance(figures.get(name), int | float):
                measured_on = f"{labeller}: {figures.get('rows', '?')} validation rows"
                yield name, f"{figures[name]:.4f}", measured_on


def _limits(card: Path) -> Iterator[str]:
    """Yield the points of a model card's section on what the model is not for."""
    if not card.is_file():
        return
    _, found, section = card.read_text("utf-8").partition("\n## What it is not for\n")
    if found:
        points = section.partition("\n## ")[0].strip().removeprefix("- ").split("\n- ")
        yield from (" ".join(point.split()) for point in points)


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
