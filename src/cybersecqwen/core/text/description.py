"""Whether a text describes a vulnerability at all, or only stands where a description should."""

from __future__ import annotations

import re

from cybersecqwen.core.text.clean import clean

_NOTHING = r"(?:description|details?|information|info|text|summary|data|analysis)"
_LATER = (
    r"(?:pending|missing|empty|unknown|to (?:follow|come)|coming soon|awaited|tb[acd]|"
    r"(?:not |un)(?:yet )?(?:available|applicable|provided|specified|given|known|published)"
    r"(?: yet)?)"
)
_PLACEHOLDER = re.compile(
    r"na|n a|nan|none|null|nil|todo|true|false|undefined|unknown|blank|x{2,9}|placeholder|"
    r"lorem ipsum(?: dolor sit amet)?|to be (?:determined|announced|confirmed|decided|added)|"
    rf"(?:{_NOTHING} )?(?:is |are )?{_LATER}|(?:awaiting|pending) {_NOTHING}|"
    rf"(?:there is |currently |yet )*no (?:further |more |other )?{_NOTHING}"
    r"(?: (?:is|was|yet|currently|at this time|available|provided|given|found|specified))*"
)
_WORDS = re.compile(r"[^\W_]+")
_LONGEST = 80  # characters of a placeholder

ID = re.compile(
    r"(?:CVE-\d{4}-\d{4,}|GHSA(?:-[23456789cfghjmpqrvwx]{4}){3}|(?:CWE|CAPEC)-\d+"
    r"|(?:PYSEC|OSV|GO|RUSTSEC|DSA|DLA|RHSA|USN|EUVD|JVNDB|CNVD|CNNVD)-[\w:.-]*\d[\w:.-]*"
    r"|VU#\d+|T\d{4}(?:\.\d{3})?)",
    re.IGNORECASE,
)
"""An identifier of a vulnerability, a weakness, an attack pattern or a technique."""


def is_placeholder(text: str) -> bool:
    """Whether a text says that there is no text: ``nan``, ``N/A``, ``TBD``, a dot, a dash."""
    if len(text) > _LONGEST:
        return not any(map(str.isalnum, text))
    spoken = _WORDS.findall(clean(text).casefold())
    return not spoken or _PLACEHOLDER.fullmatch(" ".join(spoken)) is not None
