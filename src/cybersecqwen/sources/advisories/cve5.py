"""CVE records in JSON 5.x, as CNAs publish them and CISA (an ADP) enriches them.

Schema: https://github.com/CVEProject/cve-schema. Only the fields below are decoded; the rest of a
record is skipped at the speed of the tokenizer.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from cybersecqwen.core.records import Advisory, CvssVector, CweLabel, LabelSource, RecordProblem
from cybersecqwen.sources.advisories.advisory_fields import (
    REJECTED,
    cvss_vector,
    decode_problem,
    english,
    finish,
    labels_of,
)

CISA_ADP = "CISA-ADP"


class _Cve5Text(msgspec.Struct, gc=False):
    value: str = ""
    lang: str = ""


class _Problem(msgspec.Struct, gc=False, rename="camel"):
    lang: str = ""
    description: str | None = None
    cwe_id: str | None = None


class _ProblemType(msgspec.Struct):
    descriptions: list[_Problem] = []


class _Cve5Cvss(msgspec.Struct, gc=False, rename="camel"):
    vector_string: str | None = None
    version: str = ""


class _Cve5Metric(msgspec.Struct):
    v4: _Cve5Cvss | None = msgspec.field(default=None, name="cvssV4_0")
    v31: _Cve5Cvss | None = msgspec.field(default=None, name="cvssV3_1")
    v30: _Cve5Cvss | None = msgspec.field(default=None, name="cvssV3_0")
    v2: _Cve5Cvss | None = msgspec.field(default=None, name="cvssV2_0")


class _Cve5Reference(msgspec.Struct, gc=False):
    url: str = ""


class _Provider(msgspec.Struct, gc=False, rename="camel"):
    short_name: str = ""


class _Container(msgspec.Struct, rename="camel"):
    provider_metadata: _Provider | None = None
    descriptions: list[_Cve5Text] = []
    problem_types: list[_ProblemType] = []
    metrics: list[_Cve5Metric] = []
    references: list[_Cve5Reference] = []


class _Containers(msgspec.Struct):
    cna: _Container
    adp: list[_Container] = []


class _Metadata(msgspec.Struct, gc=False, rename="camel"):
    cve_id: str
    state: str = ""
    date_published: str | None = None


class _Record(msgspec.Struct, rename="camel"):
    cve_metadata: _Metadata
    containers: _Containers


_DECODER = msgspec.json.Decoder(_Record)


def parse_cve5(content: bytes | msgspec.Raw, where: str) -> Advisory | RecordProblem:
    """Return the advisory of one JSON 5.x record, or what is wrong with it.

    Labels are the CNA's (``containers.cna``) and CISA's (the ADP container named ``CISA-ADP``);
    the description is the CNA's.

    Args:
        content: The record's JSON.
        where: Where it stands, for messages.
    """
    try:
        record = _DECODER.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return decode_problem(where, bytes(content), error)
    name = record.cve_metadata.cve_id
    if record.cve_metadata.state.upper() == "REJECTED":
        return RecordProblem(where, name, REJECTED, "rejected")
    cna = record.containers.cna
    labels = list(_labels(cna, "cna"))
    cvss = list(_cvss(cna, "cna"))
    for adp in record.containers.adp:
        if adp.provider_metadata and adp.provider_metadata.short_name == CISA_ADP:
            labels += _labels(adp, "adp")
            cvss += _cvss(adp, "adp")
    return finish(
        where,
        name,
        english((text.lang, text.value) for text in cna.descriptions),
        labels=labels,
        cvss=cvss,
        published=record.cve_metadata.date_published,
        references=(reference.url for reference in cna.references if reference.url),
    )


def _labels(container: _Container, source: LabelSource) -> Iterator[CweLabel]:
    for problem_type in container.problem_types:
        for problem in problem_type.descriptions:
            named = labels_of([problem.cwe_id or ""], source)
            yield from named or labels_of([problem.description or ""], source)


def _cvss(container: _Container, source: LabelSource) -> Iterator[CvssVector]:
    for metric in container.metrics:
        for scored in (metric.v4, metric.v31, metric.v30, metric.v2):
            if scored and scored.vector_string:
                yield cvss_vector(scored.vector_string, source, scored.version)
