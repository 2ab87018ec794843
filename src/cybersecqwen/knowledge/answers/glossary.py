"""Answers on what the catalogues' own words mean."""

from __future__ import annotations

from collections.abc import Sequence

from cybersecqwen.core.records import AnswerLine
from cybersecqwen.core.text.sentences import sentences
from cybersecqwen.knowledge.answers.draft import Draft, head, labels
from cybersecqwen.knowledge.concepts import Concept
from cybersecqwen.knowledge.search import PassageIndex

_TOLD = 8  # sentences beyond the definition
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


def _add_count(draft: Draft, index: PassageIndex, concept: Concept) -> None:
    """Add how many of its kind the knowledge base holds, and of which version."""
    if not concept.count:
        return
    name, kind = concept.count
    source = next((s for s in index.manifest.sources if s.name == name), None)
    if source is None:
        return
    number = sum(index.source(page) == name for page in index.pages_of_kind(kind))
    line = f"{number} {_SAID.get(kind, f'{kind}s')} ({name} {source.version})"
    draft.add("In this knowledge base", [AnswerLine(line, (concept.passage.id,))])


def _add_members(draft: Draft, index: PassageIndex, concept: Concept) -> None:
    if not concept.members or not concept.count:
        return
    pages = [p for p in index.pages_of_kind(concept.members) if index.source(p) == concept.count[0]]
    draft.add_list("Enterprise", labels(index, pages), (head(index, page) for page in pages[:3]))
