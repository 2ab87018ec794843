"""The bill of materials of a bundle: CycloneDX 1.7 in JSON (ECMA-424, second edition).

The library writes and validates packages, licences and digests; model cards and descriptions of
data sets, which it does not know yet, are added to the JSON as the standard has them.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from email.parser import HeaderParser
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import LicenseAcknowledgement
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL
from packaging.utils import parse_wheel_filename

from cybersecqwen.core.files import sha256_file


@dataclass(frozen=True)
class Artifact:
    """A model or a set of data in a bundle.

    Attributes:
        kind: ``model`` or ``data``.
        name: Its name.
        version: Its version, or the day of its data; empty where neither is known.
        description: What it is, in one line.
        paths: Its files, as the bundle has them.
        sha256: Digest of its one file, or of the list of its files.
        licence: SPDX expression, or empty.
        made_from: Digest of each file of data that it was made from, by name.
        metrics: Measured figures: type, value, what it was measured on.
        task: What a model does, such as ``text-classification``.
        limits: What it is not for.
    """

    kind: str
    name: str
    version: str = ""
    description: str = ""
    paths: tuple[str, ...] = ()
    sha256: str = ""
    licence: str = ""
    made_from: Mapping[str, str] = field(default_factory=dict)
    metrics: Sequence[tuple[str, str, str]] = ()
    task: str = ""
    limits: Sequence[str] = ()


def bill_of_materials(
    name: str, version: str, day: date, wheels: Iterable[Path], artifacts: Sequence[Artifact]
) -> bytes:
    """Return the bill of materials, the same bytes for the same contents.

    Args:
        name: Name of the product.
        version: Its version.
        day: The bundle's day.
        wheels: Files of its packages.
        artifacts: Its models and data.
    """
    licences = LicenseFactory()
    bom = Bom()
    root = Component(type=ComponentType.APPLICATION, name=name, version=version, bom_ref=name)
    bom.metadata.component = root
    bom.metadata.timestamp = datetime.combine(day, time(), UTC)
    listed = [_package(wheel, licences) for wheel in sorted(wheels)]
    listed += [_component(artifact, licences) for artifact in artifacts]
    for component in listed:
        bom.components.add(component)
    bom.register_dependency(root, listed)
    content = json.dumps([[c.name, c.version, [h.content for h in c.hashes]] for c in listed])
    bom.serial_number = uuid5(NAMESPACE_URL, f"{name} {version} {day} {content}")
    text = make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_7).output_as_string()
    value = json.loads(text)
    cards = {_reference(a): a for a in artifacts}
    for component in value["components"]:
        artifact = cards.get(component["bom-ref"])
        if artifact and artifact.kind == "model":
            component["modelCard"] = _model_card(artifact)
        elif artifact:
            component["data"] = [{"type": "dataset", "name": artifact.name}]
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _package(wheel: Path, licences: LicenseFactory) -> Component:
    """Describe a wheel from its own metadata."""
    name, version, _, _ = parse_wheel_filename(wheel.name)
    metadata = wheel_metadata(wheel)
    stated = metadata.get("License-Expression") or _short(metadata.get("License", ""))
    return Component(
        type=ComponentType.LIBRARY,
        name=name,
        version=str(version),
        bom_ref=wheel.name,
        purl=PackageURL("pypi", None, name, str(version), {"file_name": wheel.name}),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=sha256_file(wheel))],
        description=metadata.get("Summary"),
        licenses=_licences(stated, licences),
    )


def wheel_metadata(wheel: Path) -> Mapping[str, str]:
    """Return the headers of a wheel's METADATA file."""
    with zipfile.ZipFile(wheel) as archive:
        names = [n for n in archive.namelist() if n.endswith(".dist-info/METADATA")]
        text = archive.read(min(names, key=len)).decode("utf-8", "replace")
    return {name: str(value) for name, value in HeaderParser().parsestr(text).items()}


def _short(licence: str) -> str:
    """Return a licence's name; a whole text in this field is left to the licence files."""
    first = licence.strip().splitlines()[0] if licence.strip() else ""
    return first if len(first) <= 60 else ""


def _component(artifact: Artifact, licences: LicenseFactory) -> Component:
    kind = ComponentType.MACHINE_LEARNING_MODEL if artifact.kind == "model" else ComponentType.DATA
    hashes = [HashType(alg=HashAlgorithm.SHA_256, content=artifact.sha256)]
    return Component(
        type=kind,
        name=artifact.name,
        version=artifact.version or None,
        bom_ref=_reference(artifact),
        description=artifact.description or None,
        hashes=hashes if artifact.sha256 else [],
        licenses=_licences(artifact.licence, licences),
        properties=[Property(name="cybersecqwen:path", value=path) for path in artifact.paths],
    )


def _licences(stated: str, licences: LicenseFactory) -> list[Any]:
    if not stated:
        return []
    acknowledged = LicenseAcknowledgement.DECLARED
    return [licences.make_from_string(stated, license_acknowledgement=acknowledged)]


def _reference(artifact: Artifact) -> str:
    return f"{artifact.kind}:{artifact.name}"


def _model_card(artifact: Artifact) -> dict[str, Any]:
    """Return a model card as CycloneDX has it: parameters, measurements, limits."""
    sets = [
        {"type": "dataset", "name": name, "contents": {"properties": [_digest(digest)]}}
        for name, digest in sorted(artifact.made_from.items())
    ]
    metrics = [
        {"type": kind, "value": value, "slice": measured_on}
        for kind, value, measured_on in artifact.metrics
    ]
    card: dict[str, Any] = {"modelParameters": {"approach": {"type": "supervised"}}}
    if artifact.task:
        card["modelParameters"]["task"] = artifact.task
    if sets:
        card["modelParameters"]["datasets"] = sets
    if metrics:
        card["quantitativeAnalysis"] = {"performanceMetrics": metrics}
    if artifact.limits:
        card["considerations"] = {"technicalLimitations": list(artifact.limits)}
    return card


def _digest(sha256: str) -> dict[str, str]:
    return {"name": "sha256", "value": sha256}
