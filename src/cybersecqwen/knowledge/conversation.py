"""What a follow-up refers to: the entries that were named before it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from cybersecqwen.knowledge.intents import Intent
from cybersecqwen.knowledge.query import MARKS, Lexicon, Mention, Query
from cybersecqwen.knowledge.understanding import understood

TURNS = 6
"""Earlier questions that a follow-up may refer to."""

_REFERS = re.compile(
    r"\b(?:it|its|itself|this|that|these|those|they|them|their|he|she|his|her|both|"
    r"(?:the|this|that|these|those) (?:one|ones|same|group|actor|technique|weakness|malware|tool|"
    r"software|"
    r"tactic|attack|vulnerability|campaign|pattern|mitigation|cwe|cve|id))\b",
    re.IGNORECASE,
)
_CONTINUES = re.compile(r"^\W*(?:and|also|what about|how about|same for|or)\b", re.IGNORECASE)
_FEW = 2  # terms of its own that a question may have and still lean on what went before


def refers_back(query: Query) -> bool:
    """Whether a question names nothing itself and leans on what was named before."""
    if query.mentions or query.cves or query.unknown or query.intent is Intent.SMALL_TALK:
        return False
    if len(query.rest) > _FEW:
        return False
    leans = _REFERS.search(query.skeleton) or _CONTINUES.search(query.skeleton)
    return leans is not None or (not query.rest and query.intent is not Intent.SEARCH)


def continues(query: Query) -> bool:
    """Whether a question asks the same as the one before, of something else: ``and CWE-89?``."""
    return (
        bool(query.mentions)
        and query.intent is Intent.DEFINITION
        and _CONTINUES.search(query.skeleton) is not None
        and not query.rest
    )


def about(query: Query, pages: Sequence[str], index: Lexicon) -> Query:
    """Return a question as if it named these pages itself."""
    mentions = tuple(Mention((page,), index.kind(page), True, False, 0, 0) for page in pages)
    marks = " and ".join(f"@_{MARKS.get(mention.kind, mention.kind)}" for mention in mentions)
    skeleton, count = _REFERS.subn(marks, query.skeleton, count=1)
    if not count:
        skeleton = f"{query.skeleton} {marks}"
    return understood(replace(query, mentions=mentions, skeleton=skeleton))


def like(query: Query, earlier: Query) -> Query:
    """Return a question with the intent of an earlier one."""
    return replace(query, intent=earlier.intent, wanted=earlier.wanted)
