"""Whether a text describes a vulnerability, so that a classifier should read it."""

from __future__ import annotations

import re

from cybersecqwen.core.text.terms import ids_in

# How vulnerability descriptions speak: of what goes wrong, in what, and what comes of it.
_VULNERABLE = re.compile(
    r"\bvulnerab|\bexploit|\battackers?\b|\bdenial of service\b|\bDoS\b|\bfile inclusion\b|"
    r"\b(?:before|through|prior to|up to) (?:version )?v?\d|\d and (?:earlier|prior|below)\b|"
    r"\ballows? (?:\w+[- ]){0,5}(?:attackers?|users?|adversar|actors?)|"
    r"\b(?:via|using|sending) an? (?:\w+ )?(?:crafted|malformed|malicious)|\bcould allow\b|"
    r"\b(?:overflow|injection|traversal|use[- ]after[- ]free|cross-site|XSS|CSRF|SSRF|dereference|"
    r"race condition|out[- ]of[- ]bounds|deseriali[sz]|hard-?coded|improper|arbitrary)\b",
    re.IGNORECASE,
)
_CVE = re.compile(r"\bCVE-\d{4}-\d{4,}\b", re.IGNORECASE)
_ASKS_WEAKNESS = re.compile(r"\b(?:which|what) (?:\w+ ){0,3}(?:CWE|weakness)\b", re.IGNORECASE)
_ASKS = re.compile(
    r"\?\s*$|^\W*(?:what|which|who|whom|whose|how|when|where|why|is|are|do|does|did|can|could|should|"
    r"has|have|had|was|were|would|will|name|list|tell|explain|describe|define|give|show)\b|"
    r"^\W*(?:members|techniques?|groups?|mitigations?|examples?|differences?|meaning|definition|"
    r"detections?|aliases|parents?|children|consequences|weaknesses) (?:of|for|between|in|used)\b",
    re.IGNORECASE,
)
_LEAST_WORDS = 8  # "What is CVE-2021-44228?" describes nothing


def is_vulnerability_description(question: str) -> bool:
    """Whether a question is, or holds, the description of a vulnerability whose weakness matters.

    It is a statement in the manner of CVE records, or asks which weakness such a thing is; a
    question that names a page of the knowledge base asks about that page instead.
    """
    if len(question.split()) < _LEAST_WORDS or ids_in(question):
        return False
    if _CVE.search(question) or _ASKS_WEAKNESS.search(question):
        return _VULNERABLE.search(question) is not None
    return not _ASKS.search(question) and _VULNERABLE.search(question) is not None
