"""Answers on whether a CWE id may be used for mapping, and on what replaced an entry."""

from __future__ import annotations

import re
from collections.abc import Sequence

from cybersecqwen.core.records import AnswerLine
from cybersecqwen.core.text.sentences import sentences
from cybersecqwen.core.text.terms import ids_in
from cybersecqwen.knowledge.answers.draft import (
    Draft,
    head,
    label,
    quoted,
    short_label,
    stating,
)
from cybersecqwen.knowledge.query import Query
from cybersecqwen.knowledge.search import PassageIndex

_USAGE = re.compile(r"^Usage: ([A-Za-z-]+)\. ?")
_ANSWER = {
    "Allowed": "is allowed",
    "Allowed-with-Review": "is allowed with review (usage: Allowed-with-Review)",
    "Discouraged": "is discouraged",
    "Prohibited": "is prohibited",
}
_ALTERNATIVES = 12


def usage(index: PassageIndex, page: str) -> str:
    """Return MITRE's mapping usage of an entry, such as ``Discouraged``; empty where none is."""
    passages = index.passages_of(page, "mapping")
    match = _USAGE.match(passages[0].text) if passages else None
    return match[1] if match else ""


def map_usage(index: PassageIndex, query: Query, page: str) -> Draft | None:
    """Say whether vulnerabilities may be mapped to an entry, and to what instead."""
    passages = index.passages_of(page, "mapping")
    found = usage(index, page)
    if not found:
        return None
    draft = Draft(subjects=[page])
    verdict = _ANSWER.get(found, f"has the usage {found}")
    stated = f" (usage: {found})" if "usage" not in verdict else ""
    draft.say(
        f"{short_label(index, page)} {verdict} for mapping vulnerabilities{stated}.", passages[0]
    )
    advice = [
        AnswerLine(sentence, (passage.id,), quoted=True)
        for passage in passages
        for sentence in sentences(_USAGE.sub("", passage.text))
    ]
    draft.add("Advice", advice[:5], len(advice))
    if found != "Allowed":
        _add_alternatives(draft, index, page, " ".join(p.text for p in passages))
    return draft


def _add_alternatives(draft: Draft, index: PassageIndex, page: str, advice: str) -> None:
    """Add what to use instead: what the advice names, then the children or members."""
    named = [
        cwe
        for cwe in ids_in(advice)
        if index.kind(cwe) == "weakness" and cwe != page and usage(index, cwe) != "Prohibited"
    ]
    children = index.linking(page, "child of") or index.linked(page, "member")
    usable = [c for c in children if usage(index, c).startswith("Allowed")]
    pages = list(dict.fromkeys([*named, *usable]))
    items = [f"{short_label(index, p)}: {usage(index, p)}" for p in pages[:_ALTERNATIVES]]
    passages = [*stating(index, page, pages[:_ALTERNATIVES])] or [head(index, p) for p in pages[:4]]
    draft.add_list("Instead", items, passages, len(pages))


def replaced(index: PassageIndex, query: Query, subjects: Sequence[str]) -> Draft:
    """Say whether entries have been withdrawn, and what to use instead."""
    draft = Draft(subjects=list(subjects))
    for page in subjects:
        first = head(index, page)
        if index.is_withdrawn(page):
            draft.quote(first)
            for other in index.replacements(page):
                if index.has_page(other):
                    draft.subjects.append(other)
                    draft.add(label(index, other), [quoted(head(index, other))])
            continue
        source = index.source(page)
        version = next(s.version for s in index.manifest.sources if s.name == source)
        draft.say(
            f"{label(index, page)} has not been withdrawn or replaced: it is current in "
            f"{source} {version}.",
            first,
        )
        draft.add(f"About {page}", [quoted(first)])
    return draft
