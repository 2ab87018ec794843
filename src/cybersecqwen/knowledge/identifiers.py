"""Ids of CWE, CAPEC, ATT&CK and CVE in a text, however they are spelt.

``CWE 79``, ``cwe_79``, ``cwe#79``, ``T1110/003``, ``t-1110.3``, ``T1566.001 / .002`` and
``CWE-119 vs. 120`` are all read as what they mean.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_SEP = r"[\s_#:.\-]{0,2}"
_NUMBERED = re.compile(
    rf"\b(?P<kind>c\s?w\s?e|capec){_SEP}(?:(?:id|number|nr|"
    rf"no)\b\.?{_SEP})?(?P<number>\d{{1,5}})\b(?!\.\d)",
    re.IGNORECASE,
)
_CATEGORY = re.compile(
    r"\b(?:category|weakness|cwe view|view)\s+#?(?P<number>\d{1,4})\b", re.IGNORECASE
)
_TECHNIQUE = re.compile(
    r"\b(?:t[\s\-_#]?|(?:sub-?)?technique\s+#?t?)(?P<number>\d{4})"
    r"(?:(?:\s?[./,_\-]\s?(?P<sub>\d{1,3}))|(?:\s(?P<spaced>0\d{2})))?\b",
    re.IGNORECASE,
)
_PLAIN = re.compile(
    r"\b(?P<kind>ta|ds|dc|[gsmca])(?P<gap>[\s\-_#]?)(?P<number>\d{4})\b", re.IGNORECASE
)
_CVE = re.compile(
    r"\bcve[\s_:#\-]*(?P<year>(?:19|20)\d{2})[\s_:\-]+(?P<number>\d{4,7})\b", re.IGNORECASE
)
# What comes after an id and shares its beginning.
_MORE_NUMBERS = re.compile(
    r"\s*(?:vs\.?|versus|and|or|to|[&,/])\s*(?P<number>\d{1,4})\b(?![.\-]\d)", re.IGNORECASE
)
_MORE_SUBS = re.compile(r"\s*(?:vs\.?|versus|and|or|to|[&,/])\s*\.(?P<sub>\d{3})\b", re.IGNORECASE)
_YEARS = range(1999, 2100)


@dataclass(frozen=True, slots=True)
class IdMatch:
    """An id found in a text.

    Attributes:
        id: In its canonical form, such as ``CWE-79``, ``T1110.003`` or ``CVE-2021-44228``.
        start: Offset of its first character.
        end: Offset after its last character.
        exact: Whether it is spelt canonically, case aside.
    """

    id: str
    start: int
    end: int
    exact: bool


def find_ids(text: str, known: Callable[[str], bool]) -> list[IdMatch]:
    """Return the ids in a text, in order, none overlapping another.

    Args:
        text: A cleaned text.
        known: Whether there is a page of an id. A loose spelling counts only where there is one;
            a canonical one always.
    """
    found: list[IdMatch] = []
    taken = 0
    candidates = sorted(_candidates(text, known), key=lambda m: (m.start, m.start - m.end))
    for match in candidates:
        if match.start >= taken and (match.exact or match.id.startswith("CVE") or known(match.id)):
            found.append(match)
            taken = match.end
    return found


def _candidates(text: str, known: Callable[[str], bool]) -> Iterator[IdMatch]:
    for match in _CVE.finditer(text):
        yield _match(f"CVE-{match['year']}-{match['number']}", match)
    for match in _NUMBERED.finditer(text):
        kind = re.sub(r"\s", "", match["kind"]).upper()
        name = f"{kind}-{int(match['number'])}"
        if (
            int(match["number"]) in _YEARS
            and not known(name)
            and match[0][len(match["kind"])] == " "
        ):
            continue  # the Top 25 CWE 2023
        # A number that no page has is an id all the same: to say so beats to overlook it.
        first = IdMatch(name, match.start(), match.end(), exact=True)
        yield first
        yield from _following(text, first, f"{kind}-", _MORE_NUMBERS, known)
    for match in _CATEGORY.finditer(text):
        yield _match(f"CWE-{int(match['number'])}", match)
    for match in _TECHNIQUE.finditer(text):
        sub = match["sub"] or match["spaced"]
        name = f"T{match['number']}"
        first = _match(f"{name}.{int(sub):03d}" if sub else name, match)
        yield first
        if sub:
            yield from _following(text, first, f"{name}.", _MORE_SUBS, known)
    for match in _PLAIN.finditer(text):
        if not (match["gap"].isspace() and match["kind"].lower() in "ac"):  # in a 2024 report
            yield _match(f"{match['kind'].upper()}{match['number']}", match)


def _match(name: str, match: re.Match[str]) -> IdMatch:
    return IdMatch(name, match.start(), match.end(), match[0].upper() == name)


def _following(
    text: str, first: IdMatch, stem: str, more: re.Pattern[str], known: Callable[[str], bool]
) -> Iterator[IdMatch]:
    """Yield the ids whose beginning is left out after a first: ``CWE-119 vs. 120``."""
    place = first.end
    while match := more.match(text, place):
        name = f"{stem}{match[1]}" if stem.endswith(".") else f"{stem}{int(match[1])}"
        if not known(name):
            return
        yield IdMatch(name, match.start(1), match.end(), exact=False)
        place = match.end()
