"""Whether a text describes a vulnerability at all, or only stands where a description should."""

from __future__ import annotations

import re
from functools import lru_cache

from cybersecqwen.core.taxonomy import shipped_taxonomy
from cybersecqwen.core.text.clean import clean
from cybersecqwen.core.text.terms import terms

_PLACEHOLDERS = frozenset(
    {
        *("nan", "na", "n a", "none", "null", "nil", "tbd", "tba", "tbc", "todo", "unknown"),
        *(
            "true",
            "false",
            "undefined",
            "empty",
            "blank",
            "pending",
            "missing",
            "placeholder",
            "coming soon",
        ),
        *("not available", "not applicable", "not provided", "not specified", "not given"),
        *("no description", "no description available", "no description provided"),
        *("no description given", "no description found", "description not available"),
        *("description not provided", "description pending", "no text", "no details"),
        *("no details available", "no information", "no information available"),
        *("to be determined", "to be announced", "to be confirmed", "lorem ipsum"),
    }
)
_WORDS = re.compile(r"[^\W_]+")

ID = re.compile(
    r"(?:CVE-\d{4}-\d{4,}|GHSA(?:-[23456789cfghjmpqrvwx]{4}){3}|(?:CWE|CAPEC)-\d+"
    r"|(?:PYSEC|OSV|GO|RUSTSEC|DSA|DLA|RHSA|USN|EUVD|JVNDB|CNVD|CNNVD)-[\w:.-]*\d[\w:.-]*"
    r"|VU#\d+|T\d{4}(?:\.\d{3})?)",
    re.IGNORECASE,
)
"""An identifier of a vulnerability, a weakness, an attack pattern or a technique."""

_BEYOND_WORDS = re.compile(rf"\b(?:https?|ftp)://\S+|{ID.pattern}|\S*\d\S*", re.IGNORECASE)

# Short names of weaknesses that MITRE's titles do not hold.
_ABBREVIATIONS = frozenset(
    {
        *("xss", "csrf", "xsrf", "ssrf", "xxe", "sqli", "rce", "lfi", "rfi", "idor", "bola"),
        *("toctou", "uaf", "oob", "dos", "ddos", "redos", "ssti", "csti", "crlf", "mitm", "bof"),
        *("clickjacking", "zipslip", "deserialisation", "backdoor", "bruteforce", "infoleak"),
    }
)
_FEW_WORDS = 2


def is_placeholder(text: str) -> bool:
    """Whether a text says that there is no text: ``nan``, ``N/A``, ``TBD``, a dot, a dash."""
    spoken = _WORDS.findall(clean(text).casefold())
    return len(spoken) <= 4 and (not spoken or " ".join(spoken) in _PLACEHOLDERS)


def tells_something(text: str) -> bool:
    """Whether a text has enough in it to tell a weakness by.

    One or two words tell something only if one of them belongs to the name of a weakness: ``SQL
    injection`` does, ``x``, ``some bug`` and a bare CVE id do not.
    """
    spoken = terms(_BEYOND_WORDS.sub(" ", clean(text)))
    return len(spoken) > _FEW_WORDS or any(term in _weakness_terms() for term in spoken)


@lru_cache(maxsize=1)
def _weakness_terms() -> frozenset[str]:
    """Return the terms that occur in the catalogue's names of weaknesses, and abbreviations."""
    names = " ".join(entry.name for entry in shipped_taxonomy())
    return frozenset(term for term in terms(names) if len(term) > 2) | _ABBREVIATIONS
