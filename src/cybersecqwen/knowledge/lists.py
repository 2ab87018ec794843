"""Lists that people name loosely: the CWE Top 25, OWASP's Top Ten, the hardware list."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

_YEAR = re.compile(r"\b(20[0-3]\d)\b")
_OWASP_ITEM = re.compile(r"\bA0?(\d{1,2})\b(?!\d)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Family:
    """A list that appears anew every few years.

    Attributes:
        asked: How people name it.
        title: How the catalogue heads it; the year is its group.
    """

    asked: re.Pattern[str]
    title: re.Pattern[str]


_FAMILIES = (
    _Family(
        re.compile(
            r"\b(?:(?:19|20)\d\d )?(?:mitre |cwe |sans |cwe/sans |the )*top[\s-]*(?:25|"
            r"twenty[\s-]*five)\b"
            r"(?: (?:cwes?|list|(?:most )?dangerous|software|weaknesses))*(?: (?:of|from|in|"
            r"for))?(?: 20\d\d)?|"
            r"\b(?:\d+ )?most dangerous (?:(?:software|programming) )?(?:weaknesses|errors|bugs|"
            r"flaws|vulnerabilit\w+|cwes)(?: (?:of|from|in|for))?"
            r"(?: (?:20\d\d|(?:last|this|the current) year|"
            r"now|today|currently))?",
            re.IGNORECASE,
        ),
        re.compile(r"^Weaknesses in the (\d{4}) CWE(?:/SANS)? Top 25 "),
    ),
    _Family(
        re.compile(
            r"\bowasp(?: top[\s-]*(?:10|ten))?(?: web)?(?: categor(?:y|ies))?(?: (?:of|from|in|"
            r"for))?(?: \(?20\d\d\)?)?"
            r"(?: (?:category )?A0?\d{1,2}(?::20\d\d)?)?",
            re.IGNORECASE,
        ),
        re.compile(r"^Weaknesses in OWASP Top Ten(?: RC1)? \((\d{4})\)"),
    ),
    _Family(
        re.compile(
            r"\bmost important hardware weak\w*(?: list)?(?: (?:of|from|in|for))?(?: 20\d\d)?|"
            r"\bhardware (?:weakness(?:es)? )?(?:top )?list\b",
            re.IGNORECASE,
        ),
        re.compile(r"^Weaknesses in the (\d{4}) CWE Most Important Hardware"),
    ),
)


# What lists of weaknesses are about, and how the catalogue heads them.
_TOPICS = {
    r"php": "Weaknesses in Software Written in PHP",
    r"java": "Weaknesses in Software Written in Java",
    r"c\+\+": "Weaknesses in Software Written in C++",
    r"c": "Weaknesses in Software Written in C",
    r"hardware|chips?|silicon": "Hardware Design",
    r"mobile(?: apps?| applications?| devices?| phones?)?": "Weaknesses in Mobile Applications",
    r"crypto(?:graphy|graphic)?|encryption": "Cryptographic Issues",
    r"authentication|log-?ins?": "Authentication Errors",
    r"authori[sz]ation": "Authorization Errors",
    r"(?:user )?sessions?": "User Session Errors",
    r"memory(?: buffers?| safety| corruption)?|buffers": "Memory Buffer Errors",
    r"random(?:ness| numbers?)": "Random Number Issues",
    r"concurrency|multi-?threading|threads": "Concurrency Issues",
    r"files?(?: handling)?": "File Handling Issues",
    r"logs|logging|auditing": "Audit / Logging Errors",
    r"credentials?|passwords?": "Credentials Management Errors",
    r"permissions?": "Permission Issues",
    r"business logic": "Business Logic Errors",
    r"pointers?": "Pointer Issues",
    r"integers?|arithmetic|calculations?": "Numeric Errors",
    r"(?:input|data) validation": "Data Validation Issues",
    r"user interfaces?": "User Interface Security Issues",
    r"resource management": "Resource Management Errors",
}
_LISTED = r"(?:weaknesses|cwes|cwe[ -](?:ids|entries|numbers))"
_SPEAKS_OF_LISTED = re.compile(rf"\b{_LISTED}", re.IGNORECASE)
_CODE = r"(?: (?:software|code|programs?|applications?|apps|programming|projects?))?"
_ABOUT = (
    r"(?: (?:that|which|who|are|is|only|mostly|typically|usually|can|occurs?|exists?|happens?|"
    r"found|specific|unique|related|relevant|belong|have|to|do|deal|concern|concerning|about|in|"
    r"for|of|with|on|regarding|affect|affecting|cover|covering|there|written|software|programs?|"
    r"code|the))+ "
)


@cache
def _asking() -> tuple[tuple[re.Pattern[str], str], ...]:
    """How the weaknesses of each topic are asked for, and the title of their list."""
    ways = (
        (title, rf"(?:{topic}){_CODE} {_LISTED}(?=\W*$)", rf"{_ABOUT}(?:{topic}){_CODE}(?=\W*$)")
        for topic, title in _TOPICS.items()
    )
    return tuple(
        (
            re.compile(
                rf"\b{_LISTED}{after}|(?<![\w-] ){before}|(?<=list ){before}|(?<=all ){before}",
                re.IGNORECASE,
            ),
            title,
        )
        for title, before, after in ways
    )


def _find_topic(text: str, titles: Callable[[], dict[str, str]]) -> tuple[str, int, int] | None:
    """Return the list of weaknesses whose topic a text names at its end: ``CWEs in PHP code``."""
    if not _SPEAKS_OF_LISTED.search(text):
        return None
    for asked, title in _asking():
        if match := asked.search(text):
            page = next((page for page, head in titles().items() if head == title), None)
            return (page, match.start(), match.end()) if page else None
    return None


def find_list(text: str, titles: Callable[[], dict[str, str]]) -> tuple[str, int, int] | None:
    """Return the id of a list that a text names, and where; None where it names none.

    Args:
        text: The question.
        titles: Gives the titles of views and categories by id.
    """
    for family in _FAMILIES:
        match = family.asked.search(text)
        if match:
            year = _YEAR.search(text)
            dated = {
                found[1]: page
                for page, title in titles().items()
                if (found := family.title.search(title))
            }
            if year and year[1] in dated:
                page = dated[year[1]]
            elif dated and not year:
                page = dated[max(dated)]
            else:
                return None
            page = _item(text, page, year[1] if year else max(dated), titles()) or page
            return page, match.start(), match.end()
    return _find_topic(text, titles)


def _item(text: str, page: str, year: str, titles: dict[str, str]) -> str | None:
    """Return the id of one category of OWASP's list, where the text names one."""
    if "OWASP" not in titles[page]:
        return None
    item = _OWASP_ITEM.search(text)
    if item is None:
        named = re.compile(rf"^OWASP Top Ten {year} Category A\d+:{year} - (.+)$")
        return next(
            (
                name
                for name, title in titles.items()
                if (found := named.match(title)) and found[1].lower() in text.lower()
            ),
            None,
        )
    head = re.compile(rf"^OWASP Top Ten {year} Category A0?{int(item[1])}\b")
    return next((name for name, title in titles.items() if head.search(title)), None)
