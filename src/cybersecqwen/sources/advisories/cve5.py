"""CVE records in JSON 5.x, as CNAs publish them and CISA (an ADP) enriches them.

Schema: https://github.com/CVEProject/cve-schema. Only the fields below are decoded; the rest of a
record is skipped at the speed of the tokenizer.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from cybersecqwen.core.lenient_json import DECODE_ERRORS, LenientDecoder
from cybersecqwen.core.records import AdvisoryState, CvssVector, CweLabel, LabelSource
from cybersecqwen.sources.advisories.advisory_fields import (
    cvss_vector,
    decode_problem,
    english,
    finish,
    labels_of,
)
from cybersecqwen.sources.advisories.formats import Json, JsonFormat, JsonObject, Place, Record
from cybersecqwen.sources.catalogues.markup import plain

CISA_ADP = "CISA-ADP"
_STATES: dict[str, AdvisoryState] = {"REJECTED": "rejected", "RESERVED": "reserved"}


class _Media(msgspec.Struct, gc=False):
    type: str = ""
    value: str = ""
    base64: bool = False

    def text(self) -> str:
        """What the medium says, without its marks."""
        value = self.value
        if self.base64:
            try:
                value = b64decode(value).decode("utf-8", "replace")
            except ValueError:
                return ""
        return plain(value)


class _Cve5Text(msgspec.Struct, rename="camel"):
    value: str = ""
    lang: str = ""
    supporting_media: list[_Media] = []

    def text(self) -> str:
        """The plain text, or what the HTML beside it says where there is none."""
        if self.value.strip():
            return self.value
        pages = (media for media in self.supporting_media if media.type.startswith("text/"))
        return next(filter(str.strip, (media.text() for media in pages)), "")


class _Problem(msgspec.Struct, gc=False, rename="camel"):
    lang: str = ""
    description: str | None = None
    cwe_id: str | None = None


class _Cve5ProblemType(msgspec.Struct):
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


class _Cve5Affected(msgspec.Struct, gc=False, rename="camel"):
    vendor: str = ""
    product: str = ""
    package_name: str = ""


class _Container(msgspec.Struct, rename="camel"):
    provider_metadata: _Provider | None = None
    title: str = ""
    descriptions: list[_Cve5Text] = []
    rejected_reasons: list[_Cve5Text] = []
    affected: list[_Cve5Affected] = []
    problem_types: list[_Cve5ProblemType] = []
    metrics: list[_Cve5Metric] = []
    references: list[_Cve5Reference] = []
    date_public: str | None = None


class _Containers(msgspec.Struct):
    cna: _Container = msgspec.field(default_factory=_Container)
    adp: list[_Container] = []


class _Metadata(msgspec.Struct, gc=False, rename="camel"):
    cve_id: str
    state: str = ""
    assigner_short_name: str = ""
    date_published: str | None = None
    date_updated: str | None = None


class _Record(msgspec.Struct, rename="camel"):
    cve_metadata: _Metadata
    containers: _Containers = msgspec.field(default_factory=_Containers)


_DECODER = LenientDecoder(_Record)


def _parse(content: Json, place: Place, _context: Any) -> Iterable[Record]:
    """Return the advisory of one JSON 5.x record, or what is wrong with it.

    Labels are the CNA's (``containers.cna``), CISA's (the ADP container named ``CISA-ADP``) and
    those of other data publishers; the description is the CNA's, a publisher's where it has none.
    """
    try:
        record = _DECODER.decode(content)
    except DECODE_ERRORS as error:
        return [decode_problem(place, bytes(content), error)]
    cna = record.containers.cna
    meta = record.cve_metadata
    assigner = meta.assigner_short_name or _name(cna)
    labels = list(_labels(cna, "cna", assigner))
    cvss = list(_cvss(cna, "cna", assigner))
    for adp in record.containers.adp:
        name = _name(adp)
        whose: LabelSource = "adp" if name == CISA_ADP else "other"
        labels += _labels(adp, whose, name)
        cvss += _cvss(adp, whose, name)
    state = _STATES.get(meta.state.upper(), "published")
    texts = cna.descriptions if state != "rejected" else cna.rejected_reasons
    others = (text for adp in record.containers.adp for text in adp.descriptions)
    return [
        finish(
            place,
            meta.cve_id,
            english((text.lang, text.text()) for text in texts or others),
            labels=labels,
            cvss=cvss,
            published=meta.date_published,
            modified=meta.date_updated,
            references=(reference.url for reference in cna.references),
            title=cna.title,
            assigner=assigner,
            affected=((each.vendor, each.product or each.package_name) for each in cna.affected),
            state=state,
        )
    ]


def _name(container: _Container) -> str:
    return container.provider_metadata.short_name if container.provider_metadata else ""


def _labels(container: _Container, source: LabelSource, assigner: str) -> Iterator[CweLabel]:
    for problem_type in container.problem_types:
        for problem in problem_type.descriptions:
            # The text counts where the field is missing or holds no id, as in older records.
            found = labels_of([problem.cwe_id or ""], source, assigner)
            yield from found or labels_of([problem.description or ""], source, assigner)


def _cvss(container: _Container, source: LabelSource, assigner: str) -> Iterator[CvssVector]:
    for metric in container.metrics:
        for found in (metric.v4, metric.v31, metric.v30, metric.v2):
            if found and found.vector_string:
                yield cvss_vector(found.vector_string, source, found.version, assigner)


def _is_record(value: JsonObject) -> bool:
    return isinstance(value.get("cveMetadata"), dict)


def _is_list(value: JsonObject) -> bool:
    return isinstance(value.get("cveRecords"), list)


CVE5 = JsonFormat(
    name="cve5",
    title="CVE JSON 5.0 to 5.2",
    recognised_by="`cveMetadata`; lists of such under `cveRecords` or `data`",
    is_record=_is_record,
    parse=_parse,
    is_document=_is_list,
    members=("cveRecords",),
)
