"""What a follow-up refers to: the entries that were named before it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from cybersecqwen.core.records import Answer
from cybersecqwen.knowledge.intents import Intent
from cybersecqwen.knowledge.query import MARKS, Lexicon, Mention, Query
from cybersecqwen.knowledge.understanding import understood

TURNS = 6
"""Earlier questions that a follow-up may refer to."""

_REFERS = re.compile(
    r"\b(?:the (?:new|replacement) (?:one|id)|"
    r"it|its|itself|this|that|these|those|they|them|their|he|she|his|her|both|"
    r"(?:the|this|that|these|those) (?:one|ones|same|group|actor|technique|weakness|malware|tool|"
    r"software|"
    r"tactic|attack|vulnerability|campaign|pattern|mitigation|cwe|cve|id))\b",
    re.IGNORECASE,
)
_ASKS_OF_IT = re.compile(
    r"^\W*(?:and |so |but )?(?:is|are|does|do|did|has|have|was|were|can|could) "
    r"(?:it|they|this|that|these|those|he|she)\b",
    re.IGNORECASE,
)
_WHY = re.compile(r"^\W*(?:but |and )?(?:why(?: not| so| is that)?|how come)\W*$", re.IGNORECASE)
_MORE = re.compile(
    r"^\W*(?:(?:tell|show|give) me |say )?(?:some )?more(?: details?| information| please)?\W*$|"
    r"^\W*(?:details?|go on|continue|explain(?: (?:it|that|this|please))?|"
    r"(?:can you (?:say|explain) (?:that|it) )?in (?:plain|simple|easy|other) "
    r"(?:english|words|terms)(?: please)?|simpler(?: please)?|"
    r"i do(?:n't| not) (?:get|understand)(?: (?:it|that))?|"
    r"(?:are there )?any(?:thing)? (?:more|else|others?)|what else)\W*$",
    re.IGNORECASE,
)
_PRONOUN = re.compile(r"\b(?:it|this|that|they|them|these|those)\b", re.IGNORECASE)
_PLACES = frozenset({"view", "category", "tactic"})
_SEVERAL = frozenset({Intent.DIFFERENCE, Intent.MEMBERSHIP})
_LISTED = re.compile(r"\(([A-Z][\w.-]+)\)$")
_ORDINAL = re.compile(
    r"\b(?:the )?(?:(first|former)|(second|latter|other)|(third)|(fourth)|(last))"
    r"(?: one| of (?:them|those|these|the two))?\b",
    re.IGNORECASE,
)
_CONTINUES = re.compile(r"^\W*(?:and|also|what about|how about|same for|or)\b", re.IGNORECASE)
_KIND_ALONE = re.compile(
    r"^\W*(?:(?P<on>and|also|or|what about|how about|same for) )?"
    r"(?:which |what |the |its |their |any |other )*"
    r"(?P<kind>groups?|actors?|campaigns?|software|malware|tools?|techniques?|sub-?techniques?|"
    r"tactics?|mitigations?|detections?|examples?|consequences?|platforms?|weaknesses|cwes?|"
    r"capecs?|attack patterns?|parents?|children|siblings?)\W*$",
    re.IGNORECASE,
)
_KIND_MEANT = re.compile(
    r"^\W*(?:no|nope|sorry|actually)?[ ,.]*i (?:meant|mean|was asking (?:about|for)) (?:the |a )?"
    r"(group|actor|campaign|software|malware|tool|technique|tactic|weakness|attack pattern|"
    r"mitigation)(?: (?:of|with|by) that name)?\W*$",
    re.IGNORECASE,
)
_SOFTWARE = ("software", "malware", "tool")
_FEW = 2  # terms of its own that a question may have and still lean on what went before


def refers_back(query: Query) -> bool:
    """Whether a question names nothing itself and leans on what was named before.

    What it names may also be where that is to be looked for: ``is it in the Top 25?``.
    """
    if query.cves or query.unknown or query.intent is Intent.SMALL_TALK:
        return False
    if query.mentions:
        places = all(mention.kind in _PLACES for mention in query.mentions)
        if places and _PRONOUN.search(query.skeleton):
            return True
        return len(query.subjects) == 1 and _ASKS_OF_IT.search(query.skeleton) is not None
    if _MORE.search(query.skeleton):
        return True
    if len(query.rest) > _FEW:
        return False
    patterns = (_REFERS, _ORDINAL, _CONTINUES)
    leans = any(pattern.search(query.skeleton) for pattern in patterns)
    return leans or (not query.rest and query.intent is not Intent.SEARCH)


def kind_alone(question: str) -> str:
    """Return a question that has only a kind of entry or part in words that go on from another.

    ``Which groups?`` and ``groups?`` after a question about a technique ask for its users, as
    ``and groups?`` does.

    Returns:
        The question in that form; empty for any other.
    """
    found = _KIND_ALONE.search(question)
    if found is None:
        return ""
    kind = found["kind"].lower()
    return f"which {kind} uses it?" if kind.startswith(_SOFTWARE) else f"and {kind}?"


def as_meant(question: str, before: str) -> str:
    """Return the question before with the kind that it meant: ``no, I meant the group``.

    Returns:
        The question in that form; empty for any other.
    """
    found = _KIND_MEANT.search(question)
    return f"{before.rstrip(' ?!.')} {found[1].lower()}" if found else ""


def goes_on(question: str) -> bool:
    """Whether a question says by its first word that there was one before: ``and groups?``."""
    found = _KIND_ALONE.search(question)
    return found is not None and found["on"] is not None


def asks_why(query: Query) -> bool:
    """Whether a question only asks for the reason of what was answered before."""
    return not query.mentions and _WHY.search(query.skeleton) is not None


def continues(query: Query) -> bool:
    """Whether a question asks the same as the one before, of something else: ``and CWE-89?``."""
    return (
        bool(query.mentions)
        and query.intent is Intent.DEFINITION
        and _CONTINUES.search(query.skeleton) is not None
        and not query.rest
    )


def meant(query: Query, before: Answer) -> list[str]:
    """Return the pages of an earlier answer that a question means.

    ``the second one`` is one of those compared before, or of those that were listed; else it is
    what the answer was about.
    """
    match = _ORDINAL.search(query.skeleton)
    if match is None or match.lastindex is None:
        if before.intent == Intent.REPLACED:
            return list(before.subjects[-1:])  # what is in use now
        return list(before.subjects if before.intent in _SEVERAL else before.subjects[:1])
    pages = list(before.subjects)
    if before.intent not in _SEVERAL:
        lists = [s.lines for s in before.sections if len(s.lines) > 1]
        pages = [m[1] for line in (lists or [()])[0] if (m := _LISTED.search(line.text))]
    place = len(pages) - 1 if match[5] else match.lastindex - 1
    return pages[place : place + 1] if place >= 0 else []


def about(query: Query, pages: Sequence[str], index: Lexicon) -> Query:
    """Return a question as if it named these pages itself."""
    mentions = tuple(Mention((page,), index.kind(page), True, False, 0, 0) for page in pages)
    named = (*mentions, *query.mentions)
    marks = " and ".join(f"@_{MARKS.get(mention.kind, mention.kind)}" for mention in mentions)
    skeleton, count = _ORDINAL.subn(marks, query.skeleton, count=1)
    if not count:
        skeleton, count = _REFERS.subn(marks, query.skeleton, count=1)
    if not count:
        skeleton = f"{query.skeleton} {marks}"
    found = understood(replace(query, mentions=named, skeleton=skeleton))
    more = _MORE.search(query.skeleton) is not None
    return replace(found, intent=Intent.DEFINITION, rest=()) if more else found


def like(query: Query, earlier: Query) -> Query:
    """Return a question with the intent of an earlier one."""
    return replace(query, intent=earlier.intent, wanted=earlier.wanted)
