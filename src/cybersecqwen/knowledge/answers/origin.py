"""Answers to where actors come from: ``Iranian groups``, ``which APTs are based in China``."""

from __future__ import annotations

import re
from functools import cache

from cybersecqwen.core.records import AnswerLine, Passage
from cybersecqwen.core.text.sentences import sentences
from cybersecqwen.core.text.terms import terms
from cybersecqwen.knowledge.answers.draft import (
    Draft,
    counted,
    head,
    label,
    labels,
    listing,
    quoted,
)
from cybersecqwen.knowledge.query import MARK, Query
from cybersecqwen.knowledge.search import PassageIndex

# A country, and how questions and pages call it and what is of it.
_COUNTRIES = {
    "Belarus": r"belarus(?:ian)?|belorussian",
    "Brazil": r"brazil(?:ian)?",
    "China": r"chin(?:a|ese)|prc",
    "India": r"indian?",
    "Iran": r"iran(?:ian)?",
    "Israel": r"israeli?",
    "Lebanon": r"lebanon|lebanese",
    "Nigeria": r"nigerian?",
    "North Korea": r"north[ -]korean?|dprk",
    "Pakistan": r"pakistani?",
    "Russia": r"russian?",
    "South Korea": r"south[ -]korean?",
    "Spain": r"spain|spanish",
    "Syria": r"syrian?",
    "Turkey": r"turk(?:ey|ish)|türkiye",
    "Ukraine": r"ukrain(?:e|ian)",
    "the United States": r"usa?|u\.s\.|united states|american",
    "Vietnam": r"vietnam(?:ese)?",
}
_ACTORS = (
    r"(?:(?:threat|hacker|hacking|hackers?|apt|state|nation|sponsored|backed|espionage|cyber|criminal|"
    r"cybercriminal|cybercrime|ransomware|intrusion|government|military)[ -]){0,4}"
    r"(?:groups?|actors?|apts?|hackers?|crews?|gangs?|teams?|adversar(?:y|ies)|sets?)"
)
_SPEAKS_OF_ACTORS = re.compile(rf"\b{_ACTORS}\b", re.IGNORECASE)
_FROM = (
    r"(?:from|based in|located in|operating (?:from|in|out of)|operates? (?:from|out of)|out of|"
    r"originat\w+ (?:from|in)|with origins? in|linked to|tied to|backed by|sponsored by|"
    r"working for|works? for|attributed to|associated with|belong(?:s|ing)? to|run by|of)"
)
_ARE = r"(?:is|are|come|comes|being)"
# What a description says of victims stands after one of these.
_VICTIMS = re.compile(
    r"\b(?:target\w*|against|victims?|attack\w*|emphasis|focus\w*|interested in|compromis\w+|"
    r"primarily|forums?|speaking|similar\w*|overlaps?|recruit\w*|impersonat\w*|institutions in|"
    r"organi[sz]ations in)\b",
    re.IGNORECASE,
)
_ATTRIBUTES = re.compile(
    r"\b(?:attribut\w+|linked|link|origin\w*|based|associat\w+|behalf|backed|sponsored|nexus|"
    r"affiliat\w+|operat\w+ (?:from|out of)|members?|ties|connect\w+|suspected)\b",
    re.IGNORECASE,
)
_SENTENCES = 2  # of a description, that say whose a group is
_SHOWN = 4
# What a question may say besides: nothing of which says more of whom it wants.
_ASIDE = frozenset(
    terms(
        """come comes based located operate operates operating out originate originating origin
        origins linked tied backed sponsored working works attributed associated belong belongs
        run hack hacker hackers hacking apt state nation government military espionage cyber crew
        gang team criminal intrusion set country countries active known there currently"""
    )
)


@cache
def _asking() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """How the actors of each country are asked for."""
    found = []
    for country, spoken in _COUNTRIES.items():
        of_it = rf"(?:the )?(?:{spoken})"
        ways = (
            rf"\b{of_it}(?:[ -](?:based|linked|nexus|aligned|affiliated|backed|sponsored|state))*"
            rf"[ -]{_ACTORS}\b",
            rf"\b{_ACTORS}\b(?: \w+){{0,3}}? {_FROM} {of_it}\b",
            rf"\b{_ACTORS} {_ARE} {of_it}\W*$",
        )
        found.append((country, re.compile("|".join(ways), re.IGNORECASE)))
    return tuple(found)


def _asked_country(text: str) -> str:
    """Return the country whose actors a text asks for; empty where it asks for none's."""
    if not _SPEAKS_OF_ACTORS.search(text):
        return ""
    return next((country for country, asked in _asking() if asked.search(text)), "")


def of_country(index: PassageIndex, query: Query) -> Draft | None:
    """Name the groups that their pages call a country's; None where none is asked for.

    Of those, where a technique or software is named, they that use it.
    """
    country = _asked_country(query.corrected)
    if not country or not set(query.wanted) <= {"group"}:
        return None
    spoken = re.compile(rf"\b(?:{_COUNTRIES[country]})\b", re.IGNORECASE)
    used = [m.page for m in query.mentions if m.kind in {"technique", "software"}]
    own = set(terms(spoken.sub(" ", MARK.sub(" ", query.skeleton)))) & set(query.rest)
    if len(used) < len(query.mentions) or own - _ASIDE:
        return None
    pages = [
        page
        for page in index.pages_of_kind("group")
        if spoken.search(_attribution(head(index, page)))
        and all(page in index.linking(other, "uses") for other in used)
    ]
    if not pages:
        return Draft(
            [AnswerLine(f"No page of a group says that it comes from {country}.", ())], found=False
        )
    draft = Draft(subjects=pages)
    using = f" and use {' and '.join(labels(index, used))}" if used else ""
    draft.say(
        f"The pages of {counted(len(pages), 'group')} speak of {country} as where they come "
        f"from or whom they work for{using}: {listing(labels(index, pages), 6)}.",
        *(head(index, page) for page in pages[:_SHOWN]),
    )
    for page in pages[:_SHOWN]:
        draft.add(label(index, page), [quoted(head(index, page), 1)])
    draft.add_list("All of them", labels(index, pages), [head(index, p) for p in pages[:_SHOWN]])
    return draft


def _attribution(description: Passage) -> str:
    """Return what a group's description says of the group before it speaks of victims."""
    first, *others = sentences(description.text)[:_SENTENCES] or [""]
    told = [first, *(sentence for sentence in others if _ATTRIBUTES.search(sentence))]
    return " ".join(_VICTIMS.split(sentence, maxsplit=1)[0] for sentence in told)
