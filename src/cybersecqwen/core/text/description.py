"""Whether a text describes a vulnerability at all, or only stands where a description should."""

from __future__ import annotations

import re

from cybersecqwen.core.text.clean import clean

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


def is_placeholder(text: str) -> bool:
    """Whether a text says that there is no text: ``nan``, ``N/A``, ``TBD``, a dot, a dash."""
    spoken = _WORDS.findall(clean(text).casefold())
    return len(spoken) <= 4 and (not spoken or " ".join(spoken) in _PLACEHOLDERS)
