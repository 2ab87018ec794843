"""The CWE catalogue's long texts, from MITRE's JSON form (CWE 4.x) or its XML form."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.files import sha256_file
from cybersecqwen.core.records import Catalogue, Entry, RecordProblem, Section
from cybersecqwen.core.taxonomy import canonical_cwe
from cybersecqwen.sources.catalogues.cwe_xml import NotACatalogueError, catalogue_of
from cybersecqwen.sources.catalogues.markup import plain
from cybersecqwen.sources.io.unpack import read_whole

_RELATIONS = {
    "ChildOf": "child of",
    "PeerOf": "peer of",
    "CanPrecede": "can precede",
    "CanAlsoBe": "can also be",
    "Requires": "requires",
    "StartsWith": "starts with",
}
_CWE_IN_TEXT = re.compile(r"\bCWE-\d+\b")


class _Term(msgspec.Struct):
    term: str = msgspec.field(name="Term", default="")
    description: str = msgspec.field(name="Description", default="")


class _Related(msgspec.Struct):
    nature: str = msgspec.field(name="Nature")
    cwe: str = msgspec.field(name="CweID")


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


class _Page(msgspec.Struct, rename="pascal", kw_only=True):
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
    related_weaknesses: list[_Related] = []
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


def read_cwe_text(path: Path) -> Catalogue:
    """Read the catalogue: JSON or XML, plain or compressed, told apart by content.

    Raises:
        InputError: The file cannot be read or is no CWE catalogue.
    """
    content = read_whole(path)
    try:
        if content.lstrip().startswith(b"<"):
            # The XML's shape is made the JSON's, so that one reader serves both.
            content = msgspec.json.encode(catalogue_of(content))
        document = msgspec.json.decode(content, type=_Document)
    except (
        NotACatalogueError,
        msgspec.DecodeError,
        UnicodeDecodeError,
        RecursionError,
    ) as error:
        raise InputError(f"{path}: no CWE catalogue: {error}") from error
    entries: list[Entry] = []
    problems: list[RecordProblem] = []
    decoder = msgspec.json.Decoder(_Page)
    kinds = {
        "weakness": document.weaknesses,
        "category": document.categories,
        "view": document.views,
    }
    for kind, pages in kinds.items():
        for number, raw in enumerate(pages, 1):
            try:
                entries.append(_entry(decoder.decode(raw), kind))
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                problems.append(RecordProblem(f"{path}: {kind} {number}", "", str(error)))
    return Catalogue(
        name="cwe",
        version=document.content_version or document.content_date,
        date=document.content_date,
        sha256=sha256_file(path),
        entries=tuple(entries),
        problems=tuple(problems),
    )


def _entry(page: _Page, kind: str) -> Entry:
    name = f"CWE-{page.id}"
    withdrawn = page.status == "Deprecated"
    replaced: list[str] = []
    if withdrawn:
        named = _CWE_IN_TEXT.findall(f"{page.description} {page.summary}")
        replaced = [cwe for cwe in dict.fromkeys(named) if cwe != name]
    return Entry(
        id=name,
        name=page.name.removeprefix("DEPRECATED: "),
        kind=kind,
        aliases=tuple(term.term for term in page.alternate_terms if term.term),
        sections=tuple(s for s in _sections(page) if s.text),
        links=tuple(dict.fromkeys(_links(page))),
        withdrawn=withdrawn,
        replaced_by=tuple(replaced),
    )


def _links(page: _Page) -> Iterator[tuple[str, str]]:
    for related in page.related_weaknesses:
        if related.nature in _RELATIONS and (cwe := canonical_cwe(related.cwe)):
            yield _RELATIONS[related.nature], cwe
    for pattern in page.related_attack_patterns:
        yield "attack pattern", f"CAPEC-{pattern}"
    for member in [*page.relationships, *page.members]:
        if cwe := canonical_cwe(member.cwe):
            yield "member", cwe


def _sections(page: _Page) -> Iterator[Section]:
    for text in (page.description, page.extended_description, page.summary, page.objective):
        yield Section("description", plain(text))
    yield from (
        Section("term", f"{term.term}: {plain(term.description)}")
        for term in page.alternate_terms
        if term.description
    )
    yield from (Section("background", plain(detail)) for detail in page.background_details)
    yield Section("facts", " ".join(_facts(page)))
    yield from (
        Section("introduction", f"{introduction.phase}: {plain(introduction.note)}")
        for introduction in page.modes_of_introduction
        if introduction.note
    )
    yield from _effects_and_measures(page)
    yield from _examples(page)
    yield from (Section("note", f"{note.kind}: {plain(note.note)}") for note in page.notes)
    if mapping := page.mapping_notes:
        yield Section(
            "mapping", _joined(f"Usage: {mapping.usage}.", mapping.rationale, mapping.comments)
        )


def _effects_and_measures(page: _Page) -> Iterator[Section]:
    for c in page.common_consequences:
        heading = f"{', '.join(c.scope)}: {', '.join(c.impact)}."
        yield Section("consequence", _joined(heading, c.note))
    for m in page.potential_mitigations:
        heading = "; ".join([*m.phase, m.strategy] if m.strategy else m.phase)
        heading = f"{heading}:" if heading else ""
        yield Section("mitigation", _joined(heading, m.description, m.notes))
    for d in page.detection_methods:
        rated = f"Effectiveness: {d.effectiveness}." if d.effectiveness else ""
        yield Section("detection", _joined(f"{d.method}:", d.description, rated, d.notes))


def _examples(page: _Page) -> Iterator[Section]:
    for example in page.demonstrative_examples:
        # The code itself is left out: its words are not those that anyone asks in.
        yield Section("example", _joined(*(t for p in example.parts for t in (p.intro, p.body))))
    for observed in page.observed_examples:
        yield Section("example", f"{observed.reference}: {plain(observed.description)}")


def _facts(page: _Page) -> Iterator[str]:
    platforms = [p.name or p.group for p in page.applicable_platforms]
    phases = [introduction.phase for introduction in page.modes_of_introduction]
    facts: dict[str, Iterable[str]] = {
        "Abstraction": [page.abstraction],
        "Likelihood of exploit": [page.likelihood_of_exploit],
        "Platforms": platforms,
        "Introduced in": phases,
        "Functional areas": page.functional_areas,
        "Affected resources": page.affected_resources,
    }
    for name, values in facts.items():
        if known := [value for value in dict.fromkeys(values) if value]:
            yield f"{name}: {', '.join(known)}."


def _joined(*texts: str) -> str:
    parts: list[Any] = [plain(text) for text in texts if text]
    return " ".join(part for part in parts if part)
