"""CVE records in JSON 4.0, the schema before 2022; NVD's feeds of JSON 1.1 wrap them.

Schema: https://github.com/CVEProject/cve-schema/tree/v4.0.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from cybersecqwen.core.lenient_json import DECODE_ERRORS, LenientDecoder
from cybersecqwen.core.records import CvssVector
from cybersecqwen.sources.advisories.advisory_fields import (
    cvss_vector,
    decode_problem,
    english,
    finish,
    labels_of,
)
from cybersecqwen.sources.advisories.formats import Json, JsonFormat, JsonObject, Place, Record


class _Cve4Text(msgspec.Struct, gc=False):
    lang: str = ""
    value: str = ""


class _Meta(msgspec.Struct, gc=False):
    id: str = msgspec.field(default="", name="ID")
    state: str = msgspec.field(default="", name="STATE")
    assigner: str = msgspec.field(default="", name="ASSIGNER")
    title: str = msgspec.field(default="", name="TITLE")
    published: str = msgspec.field(default="", name="DATE_PUBLIC")


class _Descriptions(msgspec.Struct):
    data: list[_Cve4Text] = msgspec.field(default_factory=list, name="description_data")


class _Cve4ProblemType(msgspec.Struct):
    description: list[_Cve4Text] = []


class _ProblemTypes(msgspec.Struct):
    data: list[_Cve4ProblemType] = msgspec.field(default_factory=list, name="problemtype_data")


class _Cve4Reference(msgspec.Struct, gc=False):
    url: str = ""


class _References(msgspec.Struct):
    data: list[_Cve4Reference] = msgspec.field(default_factory=list, name="reference_data")


class _Cve4Product(msgspec.Struct, gc=False):
    name: str = msgspec.field(default="", name="product_name")


class _Products(msgspec.Struct):
    data: list[_Cve4Product] = msgspec.field(default_factory=list, name="product_data")


class _Vendor(msgspec.Struct):
    name: str = msgspec.field(default="", name="vendor_name")
    product: _Products | None = None


class _Vendors(msgspec.Struct):
    data: list[_Vendor] = msgspec.field(default_factory=list, name="vendor_data")


class _Affects(msgspec.Struct):
    vendor: _Vendors | None = None


class _Cve4Score(msgspec.Struct, rename="camel", gc=False):
    vector_string: str = ""
    version: str = ""


class _Impact(msgspec.Struct):
    cvss: _Cve4Score | list[_Cve4Score] | None = None


class Cve4Record(msgspec.Struct):
    """A record; NVD's feeds of JSON 1.1 have the same under ``cve``."""

    meta: _Meta = msgspec.field(name="CVE_data_meta")
    description: _Descriptions = msgspec.field(default_factory=_Descriptions)
    problemtype: _ProblemTypes = msgspec.field(default_factory=_ProblemTypes)
    references: _References = msgspec.field(default_factory=_References)
    affects: _Affects = msgspec.field(default_factory=_Affects)
    impact: _Impact | None = None

    def text(self) -> str | None:
        """Return the English description."""
        return english((text.lang, text.value) for text in self.description.data)

    def problem_types(self) -> Iterator[str]:
        """Yield the texts of the problem types."""
        for problem in self.problemtype.data:
            for text in problem.description:
                yield text.value

    def urls(self) -> Iterator[str]:
        """Yield the references."""
        return (reference.url for reference in self.references.data)

    def products(self) -> Iterator[tuple[str, str]]:
        """Yield pairs of vendor and product."""
        for vendor in self.affects.vendor.data if self.affects.vendor else ():
            for product in vendor.product.data if vendor.product else ():
                yield vendor.name, product.name


_DECODER = LenientDecoder(Cve4Record)


def _parse(content: Json, place: Place, _context: Any) -> Iterable[Record]:
    try:
        record = _DECODER.decode(content)
    except DECODE_ERRORS as error:
        return [decode_problem(place, bytes(content), error)]
    state = {"REJECT": "rejected", "RESERVED": "reserved"}.get(record.meta.state.upper())
    return [
        finish(
            place,
            record.meta.id,
            record.text(),
            labels=labels_of(record.problem_types(), "cna", record.meta.assigner),
            cvss=_vectors(record),
            published=record.meta.published,
            references=record.urls(),
            title=record.meta.title,
            assigner=record.meta.assigner,
            affected=record.products(),
            state=state or "published",  # type: ignore[arg-type]
        )
    ]


def _vectors(record: Cve4Record) -> Iterator[CvssVector]:
    given = record.impact.cvss if record.impact else None
    for score in given if isinstance(given, list) else [given] if given else ():
        if score.vector_string:
            yield cvss_vector(score.vector_string, "cna", score.version, record.meta.assigner)


def _is_record(value: JsonObject) -> bool:
    return isinstance(value.get("CVE_data_meta"), dict)


CVE4 = JsonFormat(
    name="cve4",
    title="CVE JSON 4.0",
    recognised_by="`CVE_data_meta`",
    is_record=_is_record,
    parse=_parse,
)
