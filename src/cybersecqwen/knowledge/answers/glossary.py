"""Answers on what the catalogues' own words mean, and how many entries they have."""

from __future__ import annotations

from collections.abc import Sequence

from cybersecqwen.core.records import AnswerLine
from cybersecqwen.core.text.sentences import sentences
from cybersecqwen.knowledge.answers.draft import Draft, counted, head, labels
from cybersecqwen.knowledge.concepts import Concept
from cybersecqwen.knowledge.query import Query
from cybersecqwen.knowledge.search import PassageIndex

_TOLD = 8  # sentences beyond the definition
_MATRICES = {
    "enterprise-attack": "ATT&CK for Enterprise",
    "mobile-attack": "ATT&CK for Mobile",
    "ics-attack": "ATT&CK for ICS",
}
_SHARED = frozenset({"group", "software", "campaign"})  # by ATT&CK's three matrices
_SAID = {
    "technique": "techniques and sub-techniques",
    "software": "pieces of software",
    "weakness": "weaknesses",
    "category": "categories",
}


def define_concepts(index: PassageIndex, asked: Sequence[Concept]) -> Draft:
    """Say what one concept means, or several beside each other."""
    draft = Draft()
    for concept in asked:
        draft.direct.append(AnswerLine(concept.text, (concept.passage.id,)))
    for concept in asked:
        if concept.more:
            heading = "More" if len(asked) == 1 else f"More on {concept.title}"
            lines = [AnswerLine(said, (concept.passage.id,)) for said in sentences(concept.more)]
            draft.add(heading, lines[:_TOLD], len(lines))
    for concept in asked:
        _add_count(draft, index, concept)
    if len(asked) == 1:
        _add_members(draft, index, asked[0])
    addresses = [AnswerLine(f"{c.title}: {c.source}", (c.passage.id,)) for c in asked]
    draft.add("Defined by its publisher", addresses)
    return draft


def count_entries(index: PassageIndex, query: Query) -> Draft | None:
    """Say how many entries of the kind that a question asks for each source has."""
    kind = query.wanted[0]
    draft = Draft()
    if kind in _SHARED and (pages := index.pages_of_kind(kind)):
        number = sum(not index.is_withdrawn(page) for page in pages)
        draft.say(
            f"ATT&CK, as it is held here, has {counted(number, kind)}.", head(index, pages[0])
        )
        return draft
    for source in index.manifest.sources:
        pages = _entries(index, source.name, kind)
        own = [page for page in pages if "." not in page]
        more = f" and {len(pages) - len(own)} sub-techniques" if len(own) < len(pages) else ""
        if pages:
            name = _MATRICES.get(source.name, source.name.upper())
            said = f"{name} ({source.version}) has {counted(len(own), kind)}{more}."
            draft.say(said, head(index, pages[0]))
    return draft if draft.direct else None


def _entries(index: PassageIndex, source: str, kind: str) -> list[str]:
    """Return the entries of a kind that a source has and has not withdrawn."""
    pages = (page for page in index.pages_of_kind(kind) if index.source(page) == source)
    return [page for page in pages if not index.is_withdrawn(page)]


def _add_count(draft: Draft, index: PassageIndex, concept: Concept) -> None:
    """Add how many of its kind the knowledge base holds, and of which version."""
    if not concept.count:
        return
    name, kind = concept.count
    source = next((s for s in index.manifest.sources if s.name == name), None)
    if source is None:
        return
    number = len(_entries(index, name, kind))
    line = f"{number} {_SAID.get(kind, f'{kind}s')} ({name} {source.version})"
    draft.add("In this knowledge base", [AnswerLine(line, (concept.passage.id,))])


def _add_members(draft: Draft, index: PassageIndex, concept: Concept) -> None:
    if not concept.members or not concept.count:
        return
    pages = [p for p in index.pages_of_kind(concept.members) if index.source(p) == concept.count[0]]
    draft.add_list("Enterprise", labels(index, pages), (head(index, page) for page in pages[:3]))
