"""Trivy's reports in JSON: one target after the other, each with what was found in it.

Format: https://trivy.dev/latest/docs/configuration/reporting/. A finding names a package; the same
vulnerability is found once in each.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from cybersecqwen.core.lenient_json import DECODE_ERRORS, LenientDecoder
from cybersecqwen.core.records import CvssVector, LabelSource, RecordProblem
from cybersecqwen.sources.advisories.advisory_fields import (
    cvss_vector,
    decode_problem,
    finish,
    headline_and_text,
    labels_of,
)
from cybersecqwen.sources.advisories.formats import Json, JsonFormat, JsonObject, Place, Record


class _TrivyScore(msgspec.Struct, gc=False):
    v2: str = msgspec.field(default="", name="V2Vector")
    v3: str = msgspec.field(default="", name="V3Vector")
    v4: str = msgspec.field(default="", name="V40Vector")


class _DataSource(msgspec.Struct, gc=False):
    name: str = msgspec.field(default="", name="Name")


class _Finding(msgspec.Struct, rename="pascal"):
    id: str = msgspec.field(default="", name="VulnerabilityID")
    pkg_name: str = ""
    installed_version: str = ""
    fixed_version: str = ""
    status: str = ""
    title: str = ""
    description: str | None = None
    severity: str = ""
    cwe_ids: list[str] = msgspec.field(default_factory=list, name="CweIDs")
    cvss: dict[str, _TrivyScore] = msgspec.field(default_factory=dict, name="CVSS")
    references: list[str] = []
    primary_url: str = msgspec.field(default="", name="PrimaryURL")
    vendor_ids: list[str] = msgspec.field(default_factory=list, name="VendorIDs")
    published_date: str = ""
    last_modified_date: str = ""
    data_source: _DataSource | None = None


class _TrivyTarget(msgspec.Struct, rename="pascal"):
    target: str = ""
    vulnerabilities: list[_Finding] = []
    misconfigurations: list[msgspec.Raw] = []
    secrets: list[msgspec.Raw] = []


class _Resource(msgspec.Struct, rename="pascal"):
    """What a report over a cluster puts around the targets."""

    results: list[_TrivyTarget] = []


_TARGET, _RESOURCE = LenientDecoder(_TrivyTarget), LenientDecoder(_Resource)


def _parse(content: Json, place: Place, _context: Any) -> Iterable[Record]:
    try:
        targets = [_TARGET.decode(content), *_RESOURCE.decode(content).results]
    except DECODE_ERRORS as error:
        return [decode_problem(place, bytes(content), error)]
    return _findings(targets, place)


def _findings(targets: Sequence[_TrivyTarget], place: Place) -> Iterator[Record]:
    number = 0
    for target in targets:
        for found in target.vulnerabilities:
            number += 1
            yield _finding(found, target.target, place.inside(f"finding {number}"))
    others = [
        f"{sum(map(len, found))} {kind}"
        for kind, found in (
            ("misconfigurations", [target.misconfigurations for target in targets]),
            ("secrets", [target.secrets for target in targets]),
        )
        if any(found)
    ]
    if others:
        reason = f"{' and '.join(others)} are no vulnerabilities, passed over"
        yield RecordProblem(place.where, "", reason, "note")


def _finding(found: _Finding, target: str, place: Place) -> Record:
    assigner = found.data_source.name if found.data_source else "Trivy"
    return finish(
        place,
        found.id or place.fallback_id,
        headline_and_text(found.title.partition(": ")[2] or found.title, found.description),
        labels=labels_of(found.cwe_ids, "other", assigner),
        cvss=_vectors(found.cvss),
        published=found.published_date,
        modified=found.last_modified_date,
        references=(found.primary_url, *found.references),
        title=found.title,
        aliases=found.vendor_ids,
        assigner=assigner,
        affected=[("", found.pkg_name)],
        columns=[
            ("Target", target),
            ("PkgName", found.pkg_name),
            ("InstalledVersion", found.installed_version),
            ("FixedVersion", found.fixed_version),
            ("Status", found.status),
            ("Severity", found.severity),
        ],
        reason="the report holds no description of it",
    )


def _vectors(scores: dict[str, _TrivyScore]) -> Iterator[CvssVector]:
    for name, score in scores.items():
        whose: LabelSource = "nvd" if name == "nvd" else "other"
        for vector in (score.v4, score.v3, score.v2):
            if vector:
                yield cvss_vector(vector, whose, assigner=name)


def _is_document(value: JsonObject) -> bool:
    return "ArtifactName" in value or ("ClusterName" in value and "Resources" in value)


def _is_target(value: JsonObject) -> bool:
    return "Target" in value and bool({"Vulnerabilities", "Class", "Type"} & set(value))


TRIVY = JsonFormat(
    name="trivy",
    title="Trivy's report (JSON)",
    recognised_by="`ArtifactName` or `ClusterName`, or a list of objects with `Target`",
    is_record=_is_target,
    parse=_parse,
    is_document=_is_document,
    members=("Results", "Resources"),
)
