"""Answers about a CVE id: its record in the local store, and the pages that name it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np

from cybersecqwen.core.passages import page_of
from cybersecqwen.core.records import Advisory, AnswerLine, Passage
from cybersecqwen.knowledge.answers.draft import (
    Draft,
    counted,
    head,
    label,
    labels,
    listing,
    quoted,
)
from cybersecqwen.knowledge.query import Query
from cybersecqwen.knowledge.search import PassageIndex

_SHOWN = 6
_CVE = re.compile(r"\bCVE[- ](\d{4})-(\d{4,})", re.IGNORECASE)


def about(
    index: PassageIndex, query: Query, look_up: Callable[[str], Advisory | None] | None
) -> Draft | None:
    """Say what is known of CVE ids; None where nothing is."""
    draft = Draft()
    for name in query.cves:
        record = look_up(name) if look_up else None
        if record is not None:
            draft.recorded = True
            _add_record(draft, index, record)
        naming = _naming(index, name)
        if naming:
            _add_examples(draft, index, name, naming, recorded=record is not None)
    return draft if draft.direct or draft.sections else None


def in_passing(index: PassageIndex, naming: list[Passage], wanted: Sequence[str]) -> Draft:
    """Say which pages speak of something that no page is headed by."""
    naming = sorted(naming, key=lambda passage: not passage.id.startswith("CWE-"))
    pages = list(dict.fromkeys(page_of(passage.id) for passage in naming))
    draft = Draft(subjects=pages[:1])
    draft.say(
        f"No page is headed by it; it is spoken of on the pages of "
        f"{listing(labels(index, pages), 4)}.",
        *naming[:4],
    )
    draft.add("What they say", [quoted(p, 2, wanted) for p in naming[:_SHOWN]], len(naming))
    return draft


def exploited(index: PassageIndex, actor: str) -> Draft | None:
    """List the CVE ids that what is said of a group, software or campaign names."""
    own = index.page_of_passage[index.places(actor)[0]]
    concerning = (index.page_of_passage == own) | (index.about == own)
    found: dict[str, Passage] = {}
    for place in np.flatnonzero(concerning).tolist():
        passage = index.passage(place)
        for year, number in _CVE.findall(passage.text):
            found.setdefault(f"CVE-{year}-{number}", passage)
    if not found:
        return None
    draft = Draft(subjects=[actor])
    passages = list(dict.fromkeys(found.values()))
    names = sorted(found)
    said = f"The pages on {label(index, actor)} name {counted(len(names), 'CVE id')}"
    draft.say(f"{said}: {listing(names, 12)}.", *passages[:4])
    draft.add("What they say", [quoted(p, 2, ["cve"]) for p in passages[:_SHOWN]], len(passages))
    return draft


def _naming(index: PassageIndex, name: str) -> list[Passage]:
    """Return the passages that name a CVE id."""
    number = index.vocabulary.number(name.lower())
    if number is None:
        return []
    return [index.passage(int(place)) for place in index.passages_holding(number)]


def _add_record(draft: Draft, index: PassageIndex, record: Advisory) -> None:
    labels_ = list(dict.fromkeys(label_.cwe for label_ in record.labels))
    text = f"{record.id}: {record.description}"
    draft.direct.append(AnswerLine(text, ()))
    for cwe in labels_:
        if index.has_page(cwe):
            draft.subjects.append(cwe)
            assigned = ", ".join(dict.fromkeys(x.source for x in record.labels if x.cwe == cwe))
            draft.say(f"Its weakness is {label(index, cwe)} ({assigned}).", head(index, cwe))
    for vector in record.cvss:
        draft.direct.append(
            AnswerLine(f"CVSS {vector.version} ({vector.source}): {vector.vector}.", ())
        )
    for cwe in draft.subjects:
        patterns = index.linked(cwe, "attack pattern")
        techniques = [t for pattern in patterns for t in index.linked(pattern, "technique")]
        draft.add_list(
            f"Techniques that {cwe} leads to",
            labels(index, dict.fromkeys(techniques)),
            [head(index, cwe)],
        )


def _add_examples(
    draft: Draft, index: PassageIndex, name: str, naming: list[Passage], *, recorded: bool
) -> None:
    # Weaknesses first: what a CVE is an example of says more than who exploited it.
    naming = sorted(naming, key=lambda passage: not passage.id.startswith("CWE-"))
    pages = list(dict.fromkeys(page_of(passage.id) for passage in naming))
    draft.subjects += pages
    if not recorded:
        draft.say(
            f"{name} is named on the pages of {listing(labels(index, pages), 4)}; no record of "
            "it is held here.",
            *naming[:4],
        )
    lines = [quoted(p, 3, [name.lower()]) for p in naming[:_SHOWN]]
    draft.add(f"Pages that name {name}", lines, len(naming))
