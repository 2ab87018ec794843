"""Lists of all entries of a kind, or of a level of abstraction: ``list all pillars``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cybersecqwen.knowledge.answers.draft import Draft, counted, facts, head, labels
from cybersecqwen.knowledge.query import Query
from cybersecqwen.knowledge.search import PassageIndex

_LEVELS = {
    "weakness": ("pillar", "class", "base", "variant", "compound"),
    "attack pattern": ("meta", "standard", "detailed"),
}
_KINDS = {
    "weakness": r"(?:weakness(?:es)?|cwes?|cwe entries)",
    "attack pattern": r"(?:(?:capec )?(?:attack )?patterns?|capecs?)",
    "view": r"(?:cwe )?views?",
    "category": r"(?:cwe |capec )?categor(?:y|ies)",
    "group": r"(?:threat |adversary |hacker )?groups?",
    "campaign": r"campaigns?",
    "mitigation": r"mitigations?",
    "software": r"(?:software|malware families|tools)",
}
_ALL = r"(?:(?:all|every|each|the|of|known|existing|different) )*"
_ASKS = (
    r"^\W*(?:please )?(?:(?:can|could) you )?(?:(?:list|show|name|enumerate|give|tell)(?: me| us)?|"
    r"which|what(?: are(?= (?:all|the)\b))?|how many) "
)
_PLACE = (
    r"(?: (?:of|in|from|does|do|are|is|there|exist|defined|by|the|mitre|cwe|capec|att&ck|attack|"
    r"have|has|catalogue?|you|know|held|here))*\W*$"
)
_ONE_OF = r"(?:pillars?|class(?:es)?|bases?|variants?|compounds?)"
_ANY_LEVEL = rf"(?:{_ONE_OF}|meta|standard|detailed)(?:[- ]level)?"
_WEAKNESSES, _PATTERNS = _KINDS["weakness"], _KINDS["attack pattern"]
_LEVEL_FIRST = re.compile(
    rf"{_ASKS}{_ALL}(?:cwe |capec )?(?P<level>{_ANY_LEVEL})"
    rf"(?: (?P<kind>{_WEAKNESSES}|{_PATTERNS}))?{_PLACE}",
    re.IGNORECASE,
)
_KIND_FIRST = re.compile(
    rf"{_ASKS}{_ALL}(?P<kind>{_WEAKNESSES}|{_PATTERNS}|entries) (?:that )?(?:are|is)(?: an?)? "
    rf"(?P<level>{_ANY_LEVEL})(?: (?:{_WEAKNESSES}|{_PATTERNS}))?{_PLACE}",
    re.IGNORECASE,
)
_KIND_ALONE = {
    kind: re.compile(
        r"^\W*(?:please )?(?:(?:list|show|name|enumerate|give)(?: me| us)?) "
        rf"(?:all|every|the)(?: (?:all|the|of|known))* ?{pattern}{_PLACE}",
        re.IGNORECASE,
    )
    for kind, pattern in _KINDS.items()
}


_BY_NAME = frozenset({"group", "campaign", "mitigation", "software"})  # their ids have no order


@dataclass(frozen=True)
class Listed:
    """What a question wants listed: a kind of entries, and of these a level, or all (empty)."""

    kind: str
    level: str = ""


def asked_for(query: Query) -> Listed | None:
    """Return what a question wants listed or counted; None where it asks for more than that."""
    said = " ".join(query.corrected.split())
    found = _LEVEL_FIRST.search(said) or _KIND_FIRST.search(said)
    if found:
        return next(
            Listed(kind, level)
            for kind, levels in _LEVELS.items()
            for level in levels
            if found["level"].lower().startswith(level)
        )
    alone = (kind for kind, pattern in _KIND_ALONE.items() if pattern.search(said))
    return next(map(Listed, alone), None)


def list_entries(index: PassageIndex, listed: Listed) -> Draft | None:
    """Count and list the entries of a kind, or of one of its levels; None where there are none."""
    pages = [page for page in index.pages_of_kind(listed.kind) if not index.is_withdrawn(page)]
    if listed.level:
        fact = f"Abstraction: {listed.level.capitalize()}."
        pages = [
            page for page in pages if any(f.text == fact for f in facts(index, page, "Abstraction"))
        ]
    if not pages:
        return None
    if listed.kind in _BY_NAME:
        pages.sort(key=lambda page: index.title(page).lower())
    draft = Draft()
    number, _, kind = counted(len(pages), listed.kind).partition(" ")
    name = f"{listed.level} {kind}".strip()
    draft.say(f"The catalogues held here have {number} {name}.", head(index, pages[0]))
    draft.add_list(name.capitalize(), labels(index, pages), (head(index, p) for p in pages[:3]))
    return draft
