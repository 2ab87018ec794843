"""ATT&CK and CAPEC as MITRE ships them: STIX 2 bundles of objects and relationships.

Format: OASIS STIX 2.1; MITRE's own properties are those of ATT&CK's specification 3.x and of
CAPEC 3.9's STIX translation.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.files import sha256_file
from cybersecqwen.core.lenient_json import LenientDecoder
from cybersecqwen.core.records import Catalogue, Entry, RecordProblem, Section
from cybersecqwen.sources.catalogues.markup import plain
from cybersecqwen.sources.io.unpack import read_whole

# STIX type -> our kind and the form of its ids. Old mitigations bear their technique's id; those
# are all deprecated, and left out by this.
_KINDS = {
    "attack-pattern": ("technique", r"T\d{4}(?:\.\d{3})?"),
    "malware": ("software", r"S\d{4}"),
    "tool": ("software", r"S\d{4}"),
    "intrusion-set": ("group", r"G\d{4}"),
    "campaign": ("campaign", r"C\d{4}"),
    "course-of-action": ("mitigation", r"M\d{4}"),
    "x-mitre-tactic": ("tactic", r"TA\d{4}"),
    "x-mitre-asset": ("asset", r"A\d{4}"),
    "x-mitre-data-source": ("data source", r"DS\d{4}"),
    "x-mitre-data-component": ("data component", r"DC\d{4}"),
}


class _StixReference(msgspec.Struct):
    source_name: str = ""
    external_id: str = ""


class _Phase(msgspec.Struct):
    phase_name: str


class _LogSource(msgspec.Struct):
    x_mitre_data_component_ref: str = ""


class _Object(msgspec.Struct, kw_only=True):
    """What we read of an object; its other properties are passed over undecoded."""

    type: str
    id: str
    name: str = ""
    description: str = ""
    modified: str = ""
    revoked: bool = False
    aliases: list[str] = []
    external_references: list[_StixReference] = []
    kill_chain_phases: list[_Phase] = []
    relationship_type: str = ""
    source_ref: str = ""
    target_ref: str = ""
    x_mitre_version: str = ""
    x_mitre_deprecated: bool = False
    x_mitre_domains: list[str] = []
    x_mitre_aliases: list[str] = []
    x_mitre_platforms: list[str] = []
    x_mitre_sectors: list[str] = []
    x_mitre_shortname: str = ""
    x_mitre_detection: str = ""
    x_mitre_analytic_refs: list[str] = []
    x_mitre_log_source_references: list[_LogSource] = []
    x_mitre_data_source_ref: str = ""
    x_capec_version: str = ""
    x_capec_status: str = ""
    x_capec_abstraction: str = ""
    x_capec_extended_description: str = ""
    x_capec_alternate_terms: list[str] = []
    x_capec_prerequisites: list[str] = []
    x_capec_consequences: dict[str, list[str]] = {}
    x_capec_execution_flow: str = ""
    x_capec_example_instances: list[str] = []
    x_capec_skills_required: dict[str, str] = {}
    x_capec_resources_required: list[str] = []
    x_capec_likelihood_of_attack: str = ""
    x_capec_typical_severity: str = ""
    x_capec_child_of_refs: list[str] = []
    x_capec_can_precede_refs: list[str] = []
    x_capec_peer_of_refs: list[str] = []

    def external_id(self, *sources: str) -> str:
        """Return the id that one of the named sources gives it."""
        for reference in self.external_references:
            if reference.external_id and reference.source_name.startswith(sources):
                return reference.external_id
        return ""


class _Bundle(msgspec.Struct):
    type: str
    objects: list[msgspec.Raw]


@dataclass
class _Content:
    """A bundle's objects by STIX id, and its relationships by their ends."""

    objects: dict[str, _Object] = field(default_factory=dict)
    by_source: dict[str, list[_Object]] = field(default_factory=lambda: defaultdict(list))
    by_target: dict[str, list[_Object]] = field(default_factory=lambda: defaultdict(list))
    tactics: dict[str, str] = field(default_factory=dict)
    problems: list[RecordProblem] = field(default_factory=list)

    def id_of(self, ref: str) -> str:
        """Return the MITRE id behind a STIX id, or an empty string."""
        found = self.objects.get(ref)
        return found.external_id("mitre-", "capec") if found else ""

    def live(self, ref: str) -> bool:
        """Whether a STIX id leads to an object that is neither revoked nor deprecated."""
        found = self.objects.get(ref)
        return found is not None and not _withdrawn(found)


def read_stix(path: Path) -> Catalogue:
    """Read an ATT&CK or CAPEC bundle, plain or compressed.

    Raises:
        InputError: The file cannot be read, is no STIX bundle, or holds neither of the two.
    """
    try:
        bundle = LenientDecoder(_Bundle).decode(read_whole(path))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path}: no STIX bundle: {error}") from error
    content = _index(path, bundle.objects)
    capec = any(o.x_capec_version for o in content.objects.values())
    domains = sorted({r for o in content.objects.values() if (r := _domain(o))})
    if capec:
        entries = [e for o in content.objects.values() if (e := _capec_entry(o, content))]
    else:
        entries = [e for o in content.objects.values() if (e := _attack_entry(o, content))]
        content.problems += _left_out(path, content)
    if not entries:
        raise InputError(f"{path}: the bundle holds no ATT&CK or CAPEC entries")
    date = max(o.modified for o in content.objects.values())[:10]
    return Catalogue(
        name="capec" if capec else "+".join(domains) or _commonest_domain(content) or "attack",
        version=_version(content.objects.values()) or date,
        date=date,
        sha256=sha256_file(path),
        entries=tuple(entries),
        problems=tuple(content.problems),
    )


def _left_out(path: Path, content: _Content) -> list[RecordProblem]:
    """Return a problem that counts the live entries whose ids are of no form that is read."""
    names = [
        found.external_id("mitre-") or found.id
        for found in content.objects.values()
        if found.type in _KINDS
        and not _withdrawn(found)
        and not re.fullmatch(_KINDS[found.type][1], found.external_id("mitre-"))
    ]
    if not names:
        return []
    shown = ", ".join(names[:_NAMED_AT_MOST]) + (" ..." if len(names) > _NAMED_AT_MOST else "")
    reason = f"{len(names)} entries left out, whose ids are of no form that is read: {shown}"
    return [RecordProblem(str(path), "", reason)]


_NAMED_AT_MOST = 5


def _commonest_domain(content: _Content) -> str:
    """Return the domain that most objects of a bundle without a matrix name."""
    counts = Counter(d for found in content.objects.values() for d in found.x_mitre_domains)
    return min(counts, key=lambda name: (-counts[name], name)) if counts else ""


def _index(path: Path, raw_objects: Iterable[msgspec.Raw]) -> _Content:
    content = _Content()
    decoder = LenientDecoder(_Object)
    for number, raw in enumerate(raw_objects, 1):
        try:
            found = decoder.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            where = f"{path}: object {number}"
            name = re.search(rb'"id"\s*:\s*"([\w-]{1,100})"', bytes(raw))
            content.problems.append(
                RecordProblem(where, name[1].decode() if name else "", str(error))
            )
            continue
        if found.type == "relationship":
            if not _withdrawn(found):
                content.by_source[found.source_ref].append(found)
                content.by_target[found.target_ref].append(found)
        else:
            content.objects[found.id] = found
            if found.x_mitre_shortname:
                content.tactics[found.x_mitre_shortname] = found.external_id("mitre-")
    return content


def _withdrawn(found: _Object) -> bool:
    return found.revoked or found.x_mitre_deprecated or found.x_capec_status == "Deprecated"


def _domain(found: _Object) -> str:
    return found.external_id("mitre-") if found.type == "x-mitre-matrix" else ""


def _version(objects: Iterable[_Object]) -> str:
    """Return the version that an ATT&CK collection or CAPEC's objects state."""
    capec = ""
    for found in objects:
        if found.type == "x-mitre-collection":
            return found.x_mitre_version
        capec = max(capec, found.x_capec_version)
    return capec


def _attack_entry(found: _Object, content: _Content) -> Entry | None:
    kind, form = _KINDS.get(found.type, ("", ""))
    name = found.external_id("mitre-")
    if not kind or not re.fullmatch(form, name):
        return None
    return Entry(
        id=name,
        name=_full_name(found, content),
        kind=kind,
        aliases=tuple(
            a for a in dict.fromkeys([*found.aliases, *found.x_mitre_aliases]) if a != found.name
        ),
        sections=tuple(_attack_sections(found, content)),
        links=tuple(dict.fromkeys(_attack_links(found, content))),
        withdrawn=_withdrawn(found),
        replaced_by=_replacements(found, content),
        subkind=found.type if kind == "software" else "",
    )


def _full_name(found: _Object, content: _Content) -> str:
    """Return ``Technique: Sub-technique`` as ATT&CK's pages are headed."""
    for link in content.by_source.get(found.id, ()):
        parent = content.objects.get(link.target_ref)
        if link.relationship_type == "subtechnique-of" and parent:
            return f"{parent.name}: {found.name}"
    return found.name


def _replacements(found: _Object, content: _Content) -> tuple[str, ...]:
    links = content.by_source.get(found.id, ())
    ids = [content.id_of(r.target_ref) for r in links if r.relationship_type == "revoked-by"]
    return tuple(i for i in ids if i)


def _attack_sections(found: _Object, content: _Content) -> list[Section]:
    sections = [Section("description", plain(found.description))]
    if found.x_mitre_detection:
        sections.append(Section("detection", plain(found.x_mitre_detection)))
    facts = {"Platforms": found.x_mitre_platforms, "Sectors": found.x_mitre_sectors}
    sections += [Section("facts", f"{k}: {', '.join(v)}.") for k, v in facts.items() if v]
    for link in content.by_target.get(found.id, ()):
        if not content.live(link.source_ref):
            continue
        other = content.objects[link.source_ref]
        kind = {"mitigates": "mitigation", "uses": "procedure", "detects": "detection"}.get(
            link.relationship_type
        )
        if other.type == "x-mitre-detection-strategy":
            sections += _analytics(other, content)
        elif kind and link.description:
            heading = f"{other.name} ({content.id_of(other.id)}): "
            text = heading + plain(link.description)
            sections.append(Section(kind, text, content.id_of(other.id)))
    return [section for section in sections if section.text]


def _analytics(strategy: _Object, content: _Content) -> list[Section]:
    sections = []
    for ref in strategy.x_mitre_analytic_refs:
        analytic = content.objects.get(ref)
        if analytic is None or _withdrawn(analytic):
            continue
        refs = [s.x_mitre_data_component_ref for s in analytic.x_mitre_log_source_references]
        names = [content.objects[r].name for r in dict.fromkeys(refs) if r in content.objects]
        data = f" Data components: {', '.join(names)}." if names else ""
        text = f"{strategy.name}. {plain(analytic.description)}{data}"
        sections.append(Section("detection", text, analytic.external_id("mitre-")))
    return sections


def _attack_links(found: _Object, content: _Content) -> list[tuple[str, str]]:
    names = {
        "subtechnique-of": "sub-technique of",
        "uses": "uses",
        "mitigates": "mitigates",
        "attributed-to": "attributed to",
        "targets": "targets",
    }
    links = [
        ("tactic", content.tactics.get(phase.phase_name, "")) for phase in found.kill_chain_phases
    ]
    links.append(("data source", content.id_of(found.x_mitre_data_source_ref)))
    links += (
        (names[link.relationship_type], content.id_of(link.target_ref))
        for link in content.by_source.get(found.id, ())
        if link.relationship_type in names and content.live(link.target_ref)
    )
    return [(relation, target) for relation, target in links if target]


def _capec_entry(found: _Object, content: _Content) -> Entry | None:
    name = found.external_id("capec")
    if found.type != "attack-pattern" or not name:
        return None
    mitigations = [
        Section("mitigation", plain(content.objects[link.source_ref].description))
        for link in content.by_target.get(found.id, ())
        if link.relationship_type == "mitigates" and link.source_ref in content.objects
    ]
    links = [
        *(("child of", content.id_of(ref)) for ref in found.x_capec_child_of_refs),
        *(("can precede", content.id_of(ref)) for ref in found.x_capec_can_precede_refs),
        *(("peer of", content.id_of(ref)) for ref in found.x_capec_peer_of_refs),
        *(
            ({"cwe": "weakness", "ATTACK": "technique"}[r.source_name], r.external_id)
            for r in found.external_references
            if r.source_name in {"cwe", "ATTACK"} and r.external_id
        ),
    ]
    return Entry(
        id=name,
        name=found.name,
        kind="attack pattern",
        aliases=tuple(found.x_capec_alternate_terms),
        sections=tuple(s for s in [*_capec_sections(found), *mitigations] if s.text),
        links=tuple(dict.fromkeys((relation, target) for relation, target in links if target)),
        withdrawn=_withdrawn(found),
    )


def _capec_sections(found: _Object) -> list[Section]:
    facts = {
        "Abstraction": found.x_capec_abstraction,
        "Likelihood of attack": found.x_capec_likelihood_of_attack,
        "Typical severity": found.x_capec_typical_severity,
    }
    return [
        Section("description", plain(found.description)),
        Section("description", plain(found.x_capec_extended_description)),
        Section("prerequisite", _lines(found.x_capec_prerequisites)),
        Section("flow", plain(found.x_capec_execution_flow)),
        Section("consequence", _pairs(found.x_capec_consequences)),
        Section("skill", _pairs(found.x_capec_skills_required)),
        Section("resource", _lines(found.x_capec_resources_required)),
        *(Section("example", plain(text)) for text in found.x_capec_example_instances),
        Section("facts", " ".join(f"{k}: {v}." for k, v in facts.items() if v)),
    ]


def _lines(texts: Iterable[str]) -> str:
    return "\n\n".join(plain(text) for text in texts)


def _pairs(values: Mapping[str, Any]) -> str:
    joined = {k: ", ".join(v) if isinstance(v, list) else plain(v) for k, v in values.items()}
    return "\n\n".join(f"{key.replace('_', ' ')}: {text}" for key, text in joined.items())
