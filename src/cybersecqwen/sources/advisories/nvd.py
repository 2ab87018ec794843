"""NVD's records: JSON 2.0 (yearly feeds, API pages, single objects) and the older JSON 1.1.

Schemas: https://nvd.nist.gov/developers/vulnerabilities and
https://csrc.nist.gov/schema/nvd/feed/1.1/nvd_cve_feed_json_1.1.schema. The community's rebuild of
the feeds holds bare objects of 2.0 under ``cve_items``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from cybersecqwen.core.lenient_json import DECODE_ERRORS, LenientDecoder
from cybersecqwen.core.records import AdvisoryState, CvssVector
from cybersecqwen.sources.advisories.advisory_fields import (
    NVD_SOURCE,
    assigner_of,
    cvss_vector,
    decode_problem,
    english,
    finish,
    labels_of,
)
from cybersecqwen.sources.advisories.cve4 import Cve4Record
from cybersecqwen.sources.advisories.formats import Json, JsonFormat, JsonObject, Place, Record

_CPE_PARTS = re.compile(r"(?<!\\):")
_CPE_ESCAPE = re.compile(r"\\(.)")
_STATES: dict[str, AdvisoryState] = {"rejected": "rejected", "reject": "rejected"}


class _NvdText(msgspec.Struct, gc=False):
    lang: str = ""
    value: str = ""


class _NvdWeakness(msgspec.Struct):
    source: str = ""
    description: list[_NvdText] = []


class _NvdCvss(msgspec.Struct, gc=False, rename="camel"):
    vector_string: str = ""
    version: str = ""


class _NvdMetric(msgspec.Struct, rename="camel"):
    source: str = ""
    cvss_data: _NvdCvss | None = None


class _Metrics(msgspec.Struct):
    v40: list[_NvdMetric] = msgspec.field(default_factory=list, name="cvssMetricV40")
    v31: list[_NvdMetric] = msgspec.field(default_factory=list, name="cvssMetricV31")
    v30: list[_NvdMetric] = msgspec.field(default_factory=list, name="cvssMetricV30")
    v2: list[_NvdMetric] = msgspec.field(default_factory=list, name="cvssMetricV2")


class _NvdReference(msgspec.Struct, gc=False):
    url: str = ""


class _NvdMatch(msgspec.Struct, gc=False):
    criteria: str = ""
    cpe23: str = msgspec.field(default="", name="cpe23Uri")


class _Node(msgspec.Struct, rename="camel"):
    cpe_match: list[_NvdMatch] = []
    old_match: list[_NvdMatch] = msgspec.field(default_factory=list, name="cpe_match")
    children: list[_Node] = []


class _Configuration(msgspec.Struct):
    nodes: list[_Node] = []


class _Cve(msgspec.Struct, rename="camel"):
    id: str
    source_identifier: str = ""
    published: str | None = None
    last_modified: str | None = None
    vuln_status: str = ""
    descriptions: list[_NvdText] = []
    metrics: _Metrics | None = None
    weaknesses: list[_NvdWeakness] = []
    configurations: list[_Configuration] | _Configuration = []
    references: list[_NvdReference] = []


class _OldScore(msgspec.Struct):
    v3: _NvdCvss | None = msgspec.field(default=None, name="cvssV3")
    v2: _NvdCvss | None = msgspec.field(default=None, name="cvssV2")


class _OldImpact(msgspec.Struct):
    v3: _OldScore | None = msgspec.field(default=None, name="baseMetricV3")
    v2: _OldScore | None = msgspec.field(default=None, name="baseMetricV2")


class _Item(msgspec.Struct):
    cve: _Cve


class _OldItem(msgspec.Struct, rename="camel"):
    cve: Cve4Record
    configurations: _Configuration | None = None
    impact: _OldImpact | None = None
    published_date: str | None = None
    last_modified_date: str | None = None


_ITEM, _BARE, _OLD_ITEM = LenientDecoder(_Item), LenientDecoder(_Cve), LenientDecoder(_OldItem)


def _parse(content: Json, place: Place, _context: Any) -> Iterable[Record]:
    """Return the advisory of one entry, or what is wrong with it.

    A 2.0 weakness names who assigned it: NVD, CISA as ADP, or else the CNA. Schema 1.1 does not:
    its labels count as NVD's, though NVD has adopted some from CNAs. Its scores are NVD's too.
    """
    text = bytes(content)
    try:
        if b'"CVE_data_meta"' in text[:4096] or b'"CVE_data_meta"' in text:
            return [_old(_OLD_ITEM.decode(text), place)]
        try:
            return [_new(_ITEM.decode(text).cve, place)]
        except msgspec.ValidationError:
            if b'"cve"' in text[:64]:
                raise
            return [_new(_BARE.decode(text), place)]
    except DECODE_ERRORS as error:
        return [decode_problem(place, text, error)]


def _new(cve: _Cve, place: Place) -> Record:
    labels = [
        label
        for weakness in cve.weaknesses
        for label in labels_of(
            (text.value for text in weakness.description), *assigner_of(weakness.source)
        )
    ]
    return finish(
        place,
        cve.id,
        english((text.lang, text.value) for text in cve.descriptions),
        labels=labels,
        cvss=_vectors(cve.metrics) if cve.metrics else (),
        published=cve.published,
        modified=cve.last_modified,
        references=(reference.url for reference in cve.references),
        assigner=cve.source_identifier,
        affected=_products(cve.configurations),
        state=_STATES.get(cve.vuln_status.lower(), "published"),
    )


def _vectors(metrics: _Metrics) -> Iterator[CvssVector]:
    for metric in (*metrics.v40, *metrics.v31, *metrics.v30, *metrics.v2):
        data = metric.cvss_data
        if data and data.vector_string:
            whose, assigner = assigner_of(metric.source)
            yield cvss_vector(data.vector_string, whose, data.version, assigner)


def _products(found: list[_Configuration] | _Configuration | None) -> Iterator[tuple[str, str]]:
    for configuration in found if isinstance(found, list) else [found] if found else ():
        nodes = list(configuration.nodes)
        while nodes:
            node = nodes.pop(0)
            nodes.extend(node.children)
            for match in (*node.cpe_match, *node.old_match):
                parts = _CPE_PARTS.split(match.criteria or match.cpe23, 5)
                if len(parts) > 5:
                    vendor, product = (_CPE_ESCAPE.sub(r"\1", part) for part in parts[3:5])
                    yield vendor, product


def _old(item: _OldItem, place: Place) -> Record:
    cve = item.cve
    return finish(
        place,
        cve.meta.id,
        cve.text(),
        labels=labels_of(cve.problem_types(), "nvd", NVD_SOURCE),
        cvss=_old_vectors(item.impact) if item.impact else (),
        published=item.published_date,
        modified=item.last_modified_date,
        references=cve.urls(),
        assigner=cve.meta.assigner,
        affected=(*cve.products(), *_products(item.configurations)),
        state=_STATES.get(cve.meta.state.lower(), "published"),
    )


def _old_vectors(impact: _OldImpact) -> Iterator[CvssVector]:
    for data in (impact.v3 and impact.v3.v3, impact.v2 and impact.v2.v2):
        if data and data.vector_string:
            yield cvss_vector(data.vector_string, "nvd", data.version, NVD_SOURCE)


def _is_record(value: JsonObject) -> bool:
    cve = value.get("cve")
    if isinstance(cve, dict):
        return bool({"id", "descriptions", "CVE_data_meta"} & set(cve))
    return "id" in value and bool({"vulnStatus", "sourceIdentifier"} & set(value))


def _is_document(value: JsonObject) -> bool:
    return (
        value.get("format") == "NVD_CVE"
        or "CVE_Items" in value
        or ("cve_items" in value and "vulnerabilities" not in value)
    )


NVD = JsonFormat(
    name="nvd",
    title="NVD JSON 1.1 and 2.0",
    recognised_by="`CVE_Items`, `cve_items`, `format` `NVD_CVE`; entries with `cve` as an object, "
    "bare ones with `vulnStatus` or `sourceIdentifier`",
    is_record=_is_record,
    parse=_parse,
    is_document=_is_document,
    members=("vulnerabilities", "CVE_Items", "cve_items"),
)
