"""How texts become search terms, the same for passages and questions."""

from __future__ import annotations

import re
from functools import lru_cache

from cybersecqwen.core.text.clean import clean

# Ids stay whole; so do version-like and file-like words (``.net`` and ``cmd.exe`` become two).
_TERM = re.compile(
    r"(?:cwe|capec|cve)-\d+(?:-\d+)?|(?:t|ta|s|g|m|c|ds|dc|an|det)\d{4}(?:\.\d{3})?|[a-z0-9]+"
)
_ID = re.compile(
    r"\b(?:(?:CWE|CAPEC)-\d+|T\d{4}(?:\.\d{3})?|TA\d{4}|[SGMCA]\d{4}|D[SC]\d{4})\b", re.IGNORECASE
)
_STOP_WORDS = """
a about an and any are as at be been being both but by can could did do does during each following
for from had has have how i if in into is it its may might more most of on or other should so some
such than that the their them then there these they this those to was were what when where which
while who whom why will with would you your
"""
_STOP = frozenset(_STOP_WORDS.split())


def terms(text: str) -> list[str]:
    """Return the stemmed terms of a text, in order, stop words left out."""
    found = _TERM.findall(clean(text).lower())
    return [stem(term) for term in found if term not in _STOP]


def ids_in(text: str) -> list[str]:
    """Return the CWE, CAPEC and ATT&CK ids that a text names, in order, once each."""
    return list(dict.fromkeys(match.upper() for match in _ID.findall(text)))


@lru_cache(maxsize=1 << 17)
def stem(term: str) -> str:
    """Return a term without its English inflection.

    The plural by Harman's S-stemmer (JASIS 42(1), 1991), then ``-ing``, ``-ed`` and a final
    ``e``, so that inject, injects, injected and injecting meet.
    """
    if not term.isalpha() or len(term) < 4:
        return term
    if term.endswith("ies") and not term.endswith(("eies", "aies")):
        term = term[:-3] + "y"
    elif term.endswith("s") and not term.endswith(("us", "ss", "aes", "ees", "oes")):
        term = term[:-1]
    for ending in ("ing", "ed"):
        if term.endswith(ending) and len(term) - len(ending) >= 3:
            term = term[: -len(ending)]
            if term[-1] == term[-2] and term[-1] not in "lsz":
                term = term[:-1]  # running, run
            break
    if len(term) > 4 and term.endswith("ie"):
        return term[:-2] + "y"  # cookie, as cookies
    return term[:-1] if len(term) > 4 and term.endswith("e") else term
