"""NVD's feeds: JSON 2.0 (yearly feeds and API pages) and the older JSON 1.1.

Schemas: https://nvd.nist.gov/developers/vulnerabilities and
https://csrc.nist.gov/schema/nvd/feed/1.1/nvd_cve_feed_json_1.1.schema.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from cybersecqwen.core.records import Advisory, CvssVector, LabelSource, RecordProblem
from cybersecqwen.sources.advisories.advisory_fields import (
    REJECTED,
    cvss_vector,
    decode_problem,
    english,
    finish,
    labels_of,
)

_SOURCES: dict[str, LabelSource] = {
    "nvd@nist.gov": "nvd",
    "134c704f-9b21-4f2e-91b3-4a467353bcc0": "adp",  # CISA's Vulnrichment
}


class _NvdText(msgspec.Struct, gc=False):
    lang: str = ""
    value: str = ""


class _Weakness(msgspec.Struct):
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


class _Meta(msgspec.Struct, gc=False):
    name: str = msgspec.field(default="", name="ID")


class _Descriptions(msgspec.Struct):
    data: list[_NvdText] = msgspec.field(default_factory=list, name="description_data")


class _OldWeakness(msgspec.Struct):
    description: list[_NvdText] = []


class _OldWeaknesses(msgspec.Struct):
    data: list[_OldWeakness] = msgspec.field(default_factory=list, name="problemtype_data")


class _OldReferences(msgspec.Struct):
    data: list[_NvdReference] = msgspec.field(default_factory=list, name="reference_data")


class _Cve(msgspec.Struct, rename="camel"):
    """A CVE of both schemas; their field names are distinct but for ``references``."""

    # 2.0
    id: str = ""
    published: str | None = None
    vuln_status: str = ""
    descriptions: list[_NvdText] = []
    metrics: _Metrics | None = None
    weaknesses: list[_Weakness] = []
    # both
    references: list[_NvdReference] | _OldReferences = []
    # 1.1
    meta: _Meta | None = msgspec.field(default=None, name="CVE_data_meta")
    description: _Descriptions | None = None
    problemtype: _OldWeaknesses | None = None


class _OldScore(msgspec.Struct):
    v3: _NvdCvss | None = msgspec.field(default=None, name="cvssV3")
    v2: _NvdCvss | None = msgspec.field(default=None, name="cvssV2")


class _OldImpact(msgspec.Struct):
    v3: _OldScore | None = msgspec.field(default=None, name="baseMetricV3")
    v2: _OldScore | None = msgspec.field(default=None, name="baseMetricV2")


class _NvdItem(msgspec.Struct, rename="camel"):
    cve: _Cve
    impact: _OldImpact | None = None
    published_date: str | None = None


_DECODER = msgspec.json.Decoder(_NvdItem)


def parse_nvd(content: bytes | msgspec.Raw, where: str) -> Advisory | RecordProblem:
    """Return the advisory of one entry of a feed, or what is wrong with it.

    A 2.0 weakness names who assigned it: NVD, CISA as ADP, or else the CNA. Schema 1.1 does not:
    its labels count as NVD's, though NVD has adopted some from CNAs. Its scores are NVD's too.

    Args:
        content: The entry's JSON: ``{"cve": {...}}``.
        where: Where it stands, for messages.
    """
    try:
        item = _DECODER.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return decode_problem(where, bytes(content), error)
    return _old(item, item.cve.meta.name, where) if item.cve.meta else _new(item.cve, where)


def _new(cve: _Cve, where: str) -> Advisory | RecordProblem:
    if cve.vuln_status.lower() == "rejected":
        return RecordProblem(where, cve.id, REJECTED, "rejected")
    labels = [
        label
        for weakness in cve.weaknesses
        for label in labels_of((t.value for t in weakness.description), _whose(weakness.source))
    ]
    return finish(
        where,
        cve.id,
        english((text.lang, text.value) for text in cve.descriptions),
        labels=labels,
        cvss=_vectors(cve.metrics) if cve.metrics else (),
        published=cve.published,
        references=_urls(cve),
    )


def _whose(source: str) -> LabelSource:
    return _SOURCES.get(source, "cna")


def _vectors(metrics: _Metrics) -> Iterator[CvssVector]:
    for metric in (*metrics.v40, *metrics.v31, *metrics.v30, *metrics.v2):
        data = metric.cvss_data
        if data and data.vector_string:
            yield cvss_vector(data.vector_string, _whose(metric.source), data.version)


def _old(item: _NvdItem, name: str, where: str) -> Advisory | RecordProblem:
    cve = item.cve
    texts = cve.description.data if cve.description else []
    weaknesses = cve.problemtype.data if cve.problemtype else []
    return finish(
        where,
        name,
        english((text.lang, text.value) for text in texts),
        labels=labels_of((t.value for w in weaknesses for t in w.description), "nvd"),
        cvss=_old_vectors(item.impact) if item.impact else (),
        published=item.published_date,
        references=_urls(cve),
    )


def _old_vectors(impact: _OldImpact) -> Iterator[CvssVector]:
    for data in (impact.v3 and impact.v3.v3, impact.v2 and impact.v2.v2):
        if data and data.vector_string:
            yield cvss_vector(data.vector_string, "nvd", data.version)


def _urls(cve: _Cve) -> Iterator[str]:
    found = cve.references
    for reference in found.data if isinstance(found, _OldReferences) else found:
        if reference.url:
            yield reference.url
