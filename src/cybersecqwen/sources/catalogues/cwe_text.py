"""The CWE catalogue's long texts, as pages of the knowledge base."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from cybersecqwen.core.files import sha256_file
from cybersecqwen.core.records import Catalogue, Entry, Section
from cybersecqwen.core.taxonomy import canonical_cwe
from cybersecqwen.sources.catalogues.cwe_pages import CwePage, read_pages
from cybersecqwen.sources.catalogues.markup import plain

_RELATIONS = {
    "ChildOf": "child of",
    "PeerOf": "peer of",
    "CanPrecede": "can precede",
    "CanAlsoBe": "can also be",
    "Requires": "requires",
    "StartsWith": "starts with",
}
_CWE_IN_TEXT = re.compile(r"\bCWE-\d+\b")


def read_cwe_text(path: Path) -> Catalogue:
    """Read the catalogue: JSON or XML, plain or compressed, told apart by content.

    Raises:
        InputError: The file cannot be read or is no CWE catalogue.
    """
    found = read_pages(path)
    return Catalogue(
        name="cwe",
        version=found.version,
        date=found.date,
        sha256=sha256_file(path),
        entries=tuple(_entry(page, kind) for kind, page in found.pages),
        problems=found.problems,
    )


def _entry(page: CwePage, kind: str) -> Entry:
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


def _links(page: CwePage) -> Iterator[tuple[str, str]]:
    for related in page.related_weaknesses:
        if related.nature in _RELATIONS and (cwe := canonical_cwe(related.cwe)):
            yield _RELATIONS[related.nature], cwe
    for pattern in page.related_attack_patterns:
        yield "attack pattern", f"CAPEC-{pattern}"
    for member in [*page.relationships, *page.members]:
        if cwe := canonical_cwe(member.cwe):
            yield "member", cwe


def _sections(page: CwePage) -> Iterator[Section]:
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


def _effects_and_measures(page: CwePage) -> Iterator[Section]:
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


def _examples(page: CwePage) -> Iterator[Section]:
    for example in page.demonstrative_examples:
        # The code itself is left out: its words are not those that anyone asks in.
        yield Section("example", _joined(*(t for p in example.parts for t in (p.intro, p.body))))
    for observed in page.observed_examples:
        yield Section("example", f"{observed.reference}: {plain(observed.description)}")


def _facts(page: CwePage) -> Iterator[str]:
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
