"""CycloneDX BOMs and VEX documents in JSON, versions 1.4 to 1.7: their vulnerabilities.

Specification: https://cyclonedx.org/docs/1.6/json/.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from cybersecqwen.core.lenient_json import DECODE_ERRORS, LenientDecoder
from cybersecqwen.core.records import CvssVector, LabelSource
from cybersecqwen.sources.advisories.advisory_fields import (
    cvss_vector,
    date_of,
    decode_problem,
    finish,
    headline_and_text,
    labels_of,
)
from cybersecqwen.sources.advisories.formats import Json, JsonFormat, JsonObject, Place, Record

_METHODS = {"CVSSv2": "2.0", "CVSSv3": "3.0", "CVSSv31": "3.1", "CVSSv4": "4.0"}


class _CycloneDxSource(msgspec.Struct, gc=False):
    name: str = ""
    url: str = ""


class _Rating(msgspec.Struct):
    source: _CycloneDxSource | None = None
    method: str = ""
    vector: str = ""
    severity: str = ""


class _Link(msgspec.Struct, gc=False):
    url: str = ""


class _Other(msgspec.Struct, gc=False):
    id: str = ""


class _CycloneDxTarget(msgspec.Struct, gc=False):
    ref: str = ""


class _Analysis(msgspec.Struct, gc=False):
    state: str = ""
    justification: str = ""
    detail: str = ""


class _CycloneDxVulnerability(msgspec.Struct):
    id: str = ""
    source: _CycloneDxSource | None = None
    references: list[_Other] = []
    ratings: list[_Rating] = []
    cwes: list[int | str | None] = []
    description: str | None = None
    detail: str | None = None
    advisories: list[_Link] = []
    created: str = ""
    published: str = ""
    updated: str = ""
    rejected: str = ""
    analysis: _Analysis | None = None
    affects: list[_CycloneDxTarget] = []


class _Component(msgspec.Struct, rename={"ref": "bom-ref"}):
    ref: str = ""
    group: str = ""
    name: str = ""
    publisher: str = ""
    components: list[_Component] = []


_VULNERABILITY = LenientDecoder(_CycloneDxVulnerability)
_COMPONENTS = LenientDecoder(list[_Component])
_Products = Mapping[str, tuple[str, str]]


def _open(members: Mapping[str, Json]) -> _Products:
    try:
        stack = _COMPONENTS.decode(members.get("components", b"[]"))
    except DECODE_ERRORS:
        return {}  # the vulnerabilities are read all the same, without the components' names
    products = {}
    while stack:
        component = stack.pop()
        products[component.ref] = (component.group or component.publisher, component.name)
        stack += component.components
    return products


def _parse(content: Json, place: Place, products: _Products | None) -> Iterable[Record]:
    try:
        found = _VULNERABILITY.decode(content)
    except DECODE_ERRORS as error:
        return [decode_problem(place, bytes(content), error)]
    assigner = found.source.name if found.source else ""
    analysis = found.analysis or _Analysis()
    rejected = date_of(found.rejected)
    return [
        finish(
            place,
            found.id or place.fallback_id,
            headline_and_text(found.description, found.detail),
            labels=labels_of(map(str, found.cwes), _whose(assigner), assigner),
            cvss=_vectors(found.ratings),
            published=found.published or found.created,
            modified=found.updated,
            references=(*(link.url for link in found.advisories), _url(found.source)),
            aliases=(other.id for other in found.references),
            assigner=assigner,
            affected=((products or {}).get(t.ref, ("", "")) for t in found.affects),
            columns=[
                ("analysis_state", analysis.state),
                ("analysis_justification", analysis.justification),
                ("affects", ", ".join(target.ref for target in found.affects)),
            ],
            state="rejected" if rejected else "published",
            reason=f"rejected on {rejected}" if rejected else "the BOM holds no description of it",
        )
    ]


def _url(source: _CycloneDxSource | None) -> str:
    return source.url if source else ""


def _whose(assigner: str) -> LabelSource:
    return "nvd" if assigner.upper() in {"NVD", "NIST NVD"} else "other"


def _vectors(ratings: Iterable[_Rating]) -> Iterator[CvssVector]:
    for rating in ratings:
        version = _METHODS.get(rating.method, "")
        if not rating.vector or not (version or rating.vector.startswith("CVSS:")):
            continue
        vector = rating.vector
        if version > "2.0" and not vector.startswith("CVSS:"):
            vector = f"CVSS:{version}/{vector}"
        assigner = rating.source.name if rating.source else ""
        yield cvss_vector(vector, _whose(assigner), version, assigner)


def _is_document(value: JsonObject) -> bool:
    return value.get("bomFormat") == "CycloneDX"


def _is_vulnerability(value: JsonObject) -> bool:
    return bool({"ratings", "affects", "analysis"} & set(value)) and bool(
        {"bom-ref", "cwes", "ratings"} & set(value)
    )


CYCLONEDX = JsonFormat(
    name="cyclonedx",
    title="CycloneDX JSON 1.4 to 1.7, BOM and VEX",
    recognised_by="`bomFormat` `CycloneDX`",
    is_record=_is_vulnerability,
    parse=_parse,
    is_document=_is_document,
    members=("vulnerabilities",),
    open_document=_open,
)
