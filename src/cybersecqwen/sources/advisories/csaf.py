"""CSAF advisories, versions 2.0 and 2.1, VEX among them.

Standard: https://docs.oasis-open.org/csaf/csaf/v2.0/. A document has one publisher, a tree of
products and any number of vulnerabilities; the texts of those are notes by category.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from cybersecqwen.core.lenient_json import DECODE_ERRORS, LenientDecoder
from cybersecqwen.core.records import CvssVector, LabelSource
from cybersecqwen.sources.advisories.advisory_fields import (
    cvss_vector,
    decode_problem,
    finish,
    labels_of,
)
from cybersecqwen.sources.advisories.formats import Json, JsonFormat, JsonObject, Place, Record

_NOTES = ("description", "summary", "details", "general")
"""Categories of notes that may hold the text, the best first."""

_AFFECTED = ("known_affected", "last_affected", "first_affected", "under_investigation", "fixed")
_ABOUT_THE_FLAW = re.compile(r"vulnerab|descri|detail|summary", re.IGNORECASE)
_FEW_WORDS = 2
_MAX_DEPTH = 60


class _Publisher(msgspec.Struct, gc=False):
    name: str = ""
    category: str = ""


class _Tracking(msgspec.Struct, gc=False):
    id: str = ""
    initial_release_date: str = ""
    current_release_date: str = ""


class _CsafNote(msgspec.Struct, gc=False):
    category: str = ""
    text: str = ""
    title: str = ""


class _CsafDocument(msgspec.Struct):
    title: str = ""
    category: str = ""
    publisher: _Publisher = msgspec.field(default_factory=_Publisher)
    tracking: _Tracking = msgspec.field(default_factory=_Tracking)
    notes: list[_CsafNote] = []


class _CsafProduct(msgspec.Struct, gc=False):
    product_id: str = ""
    name: str = ""


class _Branch(msgspec.Struct):
    category: str = ""
    name: str = ""
    product: _CsafProduct | None = None
    branches: list[_Branch] = []


class _Relationship(msgspec.Struct):
    full_product_name: _CsafProduct | None = None
    product_reference: str = ""


class _Tree(msgspec.Struct):
    branches: list[_Branch] = []
    full_product_names: list[_CsafProduct] = []
    relationships: list[_Relationship] = []


class _CsafWeakness(msgspec.Struct, gc=False):
    id: str = ""


class _Id(msgspec.Struct, gc=False):
    text: str = ""


class _CsafCvss(msgspec.Struct, rename="camel", gc=False):
    vector_string: str = ""
    version: str = ""


class _Scores(msgspec.Struct):
    cvss_v4: _CsafCvss | None = None
    cvss_v3: _CsafCvss | None = None
    cvss_v2: _CsafCvss | None = None


class _CsafMetric(msgspec.Struct):
    content: _Scores | None = None


class _CsafReference(msgspec.Struct, gc=False):
    url: str = ""


class _CsafVulnerability(msgspec.Struct):
    cve: str = ""
    ids: list[_Id] = []
    title: str = ""
    notes: list[_CsafNote] = []
    cwe: _CsafWeakness | None = None
    cwes: list[_CsafWeakness] = []
    scores: list[_Scores] = []
    metrics: list[_CsafMetric] = []
    product_status: dict[str, list[str]] = {}
    references: list[_CsafReference] = []
    release_date: str = ""
    disclosure_date: str = ""


@dataclass(frozen=True, slots=True)
class _Context:
    """What the vulnerabilities of a document have in common.

    Attributes:
        document: Its title, publisher, dates and notes.
        products: Vendor and product by product id.
    """

    document: _CsafDocument = field(default_factory=_CsafDocument)
    products: Mapping[str, tuple[str, str]] = field(default_factory=dict)


_DOCUMENT = LenientDecoder(_CsafDocument)
_TREE = LenientDecoder(_Tree)
_VULNERABILITY = LenientDecoder(_CsafVulnerability)


def _open(members: Mapping[str, Json]) -> _Context:
    document, tree = _CsafDocument(), _Tree()
    try:
        document = _DOCUMENT.decode(members.get("document", b"{}"))
        tree = _TREE.decode(members.get("product_tree", b"{}"))
    except DECODE_ERRORS:
        pass  # the vulnerabilities are read all the same, without what they have in common
    return _Context(document, dict(_products(tree)))


def _products(tree: _Tree) -> Iterator[tuple[str, tuple[str, str]]]:
    for product in tree.full_product_names:
        yield product.product_id, ("", product.name)
    known: dict[str, tuple[str, str]] = {}
    # Vendor and product are branches on the way to a product id.
    stack = [(branch, "", "", 0) for branch in tree.branches]
    while stack:
        branch, vendor, name, depth = stack.pop()
        vendor = branch.name if branch.category == "vendor" else vendor
        name = branch.name if branch.category == "product_name" else name
        if branch.product:
            known[branch.product.product_id] = (vendor, name or branch.product.name)
        if depth < _MAX_DEPTH:
            stack += [(child, vendor, name, depth + 1) for child in branch.branches]
    yield from known.items()
    for relationship in tree.relationships:
        if relationship.full_product_name and relationship.product_reference in known:
            yield relationship.full_product_name.product_id, known[relationship.product_reference]


def _parse(content: Json, place: Place, context: _Context | None) -> Iterable[Record]:
    try:
        found = _VULNERABILITY.decode(content)
    except DECODE_ERRORS as error:
        return [decode_problem(place, bytes(content), error)]
    context = context or _Context()
    document = context.document
    publisher = document.publisher
    whose: LabelSource = "cna" if publisher.category == "vendor" else "other"
    weaknesses = [*found.cwes, found.cwe] if found.cwe else found.cwes
    ids = [each.text for each in found.ids if each.text]
    name = found.cve or next(iter(ids), "") or f"{document.tracking.id}#{place.number}"
    named = (i for status in _AFFECTED for i in found.product_status.get(status, ()))
    withdrawn = document.category in {"csaf_withdrawn", "csaf_superseded"}
    return [
        finish(
            place,
            name,
            _text(found.notes) or _headline(found.title),
            labels=labels_of((weakness.id for weakness in weaknesses), whose, publisher.name),
            cvss=_vectors(found, whose, publisher.name),
            published=found.release_date
            or found.disclosure_date
            or document.tracking.initial_release_date,
            modified=document.tracking.current_release_date,
            references=(reference.url for reference in found.references),
            title=found.title or document.title,
            aliases=ids,
            columns=[("advisory", document.tracking.id)],
            assigner=publisher.name,
            affected=(context.products[i] for i in named if i in context.products),
            state="withdrawn" if withdrawn else "published",
            reason=f"the advisory is {document.category.removeprefix('csaf_')}"
            if withdrawn
            else "no note of category description or summary",
        )
    ]


def _text(notes: Sequence[_CsafNote]) -> str | None:
    """Return the text of the best note; several of one category are read one after the other."""
    for category in _NOTES:
        texts = [note.text for note in notes if note.category == category and note.text.strip()]
        if texts:
            return "\n\n".join(texts)
    others = (n.text for n in notes if n.category == "other" and _ABOUT_THE_FLAW.search(n.title))
    return next(filter(str.strip, others), None)


def _headline(title: str) -> str | None:
    """Return a title that says enough to stand for the text that is missing."""
    return title if len(title.split()) > _FEW_WORDS else None


def _vectors(found: _CsafVulnerability, source: LabelSource, assigner: str) -> Iterator[CvssVector]:
    scores = [*found.scores, *(metric.content for metric in found.metrics if metric.content)]
    for score in scores:
        for each in (score.cvss_v4, score.cvss_v3, score.cvss_v2):
            if each and each.vector_string:
                yield cvss_vector(each.vector_string, source, each.version, assigner)


def _is_document(value: JsonObject) -> bool:
    document = value.get("document")
    return isinstance(document, dict) and ("csaf_version" in document or "tracking" in document)


def _is_vulnerability(value: JsonObject) -> bool:
    return isinstance(value.get("notes"), list) and bool(
        {"cve", "ids", "product_status"} & set(value)
    )


CSAF = JsonFormat(
    name="csaf",
    title="CSAF 2.0 and 2.1",
    recognised_by="`document` with `csaf_version`",
    is_record=_is_vulnerability,
    parse=_parse,
    is_document=_is_document,
    members=("vulnerabilities",),
    open_document=_open,
)
