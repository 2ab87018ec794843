"""The CWE catalogue's pages, from MITRE's JSON form (CWE 4.x) or its XML form.

Both forms carry the same facts under other names (``Related_Weakness CWE_ID`` in one,
``RelatedWeaknesses[].CweID`` in the other); the XML's shape is made the JSON's, so that one reader
serves both.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.lenient_json import LenientDecoder
from cybersecqwen.core.records import RecordProblem
from cybersecqwen.sources.catalogues.cwe_xml import NotACatalogueError, catalogue_of
from cybersecqwen.sources.io.unpack import read_whole

PageKind = Literal["weakness", "category", "view"]


class _Term(msgspec.Struct):
    term: str = msgspec.field(name="Term", default="")
    description: str = msgspec.field(name="Description", default="")


class CweRelation(msgspec.Struct):
    """How a weakness is related to another, in which view."""

    nature: str = msgspec.field(name="Nature")
    cwe: str = msgspec.field(name="CweID")
    view: str = msgspec.field(name="ViewID", default="")


class _Member(msgspec.Struct):
    cwe: str = msgspec.field(name="CweID")


class _Platform(msgspec.Struct):
    name: str = msgspec.field(name="Name", default="")
    group: str = msgspec.field(name="Class", default="")


class _Introduction(msgspec.Struct):
    phase: str = msgspec.field(name="Phase", default="")
    note: str = msgspec.field(name="Note", default="")


class _Consequence(msgspec.Struct):
    scope: list[str] = msgspec.field(name="Scope", default_factory=list)
    impact: list[str] = msgspec.field(name="Impact", default_factory=list)
    note: str = msgspec.field(name="Note", default="")


class _Mitigation(msgspec.Struct):
    phase: list[str] = msgspec.field(name="Phase", default_factory=list)
    strategy: str = msgspec.field(name="Strategy", default="")
    description: str = msgspec.field(name="Description", default="")
    notes: str = msgspec.field(name="EffectivenessNotes", default="")


class _Detection(msgspec.Struct):
    method: str = msgspec.field(name="Method", default="")
    description: str = msgspec.field(name="Description", default="")
    effectiveness: str = msgspec.field(name="Effectiveness", default="")
    notes: str = msgspec.field(name="EffectivenessNotes", default="")


class _ExamplePart(msgspec.Struct):
    intro: str = msgspec.field(name="IntroText", default="")
    body: str = msgspec.field(name="BodyText", default="")


class _Example(msgspec.Struct):
    parts: list[_ExamplePart] = msgspec.field(name="Entries", default_factory=list)


class _Observed(msgspec.Struct):
    reference: str = msgspec.field(name="Reference", default="")
    description: str = msgspec.field(name="Description", default="")


class _Note(msgspec.Struct):
    kind: str = msgspec.field(name="Type", default="")
    note: str = msgspec.field(name="Note", default="")


class _Mapping(msgspec.Struct):
    usage: str = msgspec.field(name="Usage", default="")
    rationale: str = msgspec.field(name="Rationale", default="")
    comments: str = msgspec.field(name="Comments", default="")


class CwePage(msgspec.Struct, rename="pascal", kw_only=True):
    """A weakness, category or view; each fills what it has."""

    id: str = msgspec.field(name="ID")
    name: str
    status: str = ""
    abstraction: str = ""
    description: str = ""
    extended_description: str = ""
    summary: str = ""
    objective: str = ""
    likelihood_of_exploit: str = ""
    background_details: list[str] = []
    functional_areas: list[str] = []
    affected_resources: list[str] = []
    alternate_terms: list[_Term] = []
    related_weaknesses: list[CweRelation] = []
    related_attack_patterns: list[str] = []
    relationships: list[_Member] = []
    members: list[_Member] = []
    applicable_platforms: list[_Platform] = []
    modes_of_introduction: list[_Introduction] = []
    common_consequences: list[_Consequence] = []
    potential_mitigations: list[_Mitigation] = []
    detection_methods: list[_Detection] = []
    demonstrative_examples: list[_Example] = []
    observed_examples: list[_Observed] = []
    notes: list[_Note] = []
    mapping_notes: _Mapping | None = None


class _Document(msgspec.Struct, rename="pascal"):
    weaknesses: list[msgspec.Raw]
    content_version: str = ""
    content_date: str = ""
    categories: list[msgspec.Raw] = []
    views: list[msgspec.Raw] = []


@dataclass(frozen=True, slots=True)
class CwePages:
    """The catalogue as its pages.

    Attributes:
        version: Such as ``4.19.1``; empty where the file states none.
        date: Date of the release, ``YYYY-MM-DD``.
        pages: Each with its kind, in the file's order.
        problems: Pages that could not be read.
    """

    version: str
    date: str
    pages: tuple[tuple[PageKind, CwePage], ...]
    problems: tuple[RecordProblem, ...] = ()


def read_pages(path: Path) -> CwePages:
    """Read the catalogue: JSON or XML, plain or compressed, told apart by content.

    Raises:
        InputError: The file cannot be read or is no CWE catalogue; or its XML brings a document
            type, which MITRE's does not and which could expand without bound.
    """
    content = read_whole(path)
    if not content.strip():
        raise InputError(f"{path}: no CWE catalogue: empty")
    try:
        if content.lstrip().startswith(b"<"):
            content = msgspec.json.encode(catalogue_of(content))
        document = LenientDecoder(_Document).decode(content)
    except (
        NotACatalogueError,
        msgspec.DecodeError,
        UnicodeDecodeError,
        RecursionError,
    ) as error:
        raise InputError(f"{path}: no CWE catalogue: {error}") from error
    if not document.weaknesses:
        raise InputError(f"{path}: no CWE catalogue: it holds no weakness")
    pages: list[tuple[PageKind, CwePage]] = []
    problems: list[RecordProblem] = []
    decoder = LenientDecoder(CwePage)
    kinds: dict[PageKind, list[msgspec.Raw]] = {
        "weakness": document.weaknesses,
        "category": document.categories,
        "view": document.views,
    }
    for kind, raw_pages in kinds.items():
        for number, raw in enumerate(raw_pages, 1):
            try:
                pages.append((kind, decoder.decode(raw)))
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                problems.append(RecordProblem(f"{path}: {kind} {number}", "", str(error)))
    version, date = document.content_version, document.content_date
    return CwePages(version or date, date, tuple(pages), tuple(problems))
