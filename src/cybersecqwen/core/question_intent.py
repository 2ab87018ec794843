"""What a question asks for: a kind of passage, a relation, a weakness behind a description."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cybersecqwen.core.text.terms import ids_in, terms


@dataclass(frozen=True, slots=True)
class Intent:
    """What a question asks for.

    Attributes:
        name: In a word or two, for saying that a page has none.
        kinds: Kinds of passages that answer it, as in ``Passage``.
        headings: Relations that answer it, as relation passages head them.
        facts: Lines of a page's facts that answer it.
    """

    name: str
    kinds: tuple[str, ...] = ()
    headings: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()


DEFINITION = Intent("description", ("description", "term"))
"""What is asked of a page where nothing else is."""

# The first that fits is taken, so the narrower come first.
_WISHES: tuple[tuple[str, Intent], ...] = (
    (
        r"\balias(?:es)?\b|also (?:known|called)|other names?|\bakas?\b",
        Intent("alias", ("alias",)),
    ),
    (r"\btactics?\b", Intent("tactic", headings=("Tactics",))),
    (
        r"sub-?techniques?",
        Intent("sub-technique", headings=("Sub-techniques", "Sub-technique of")),
    ),
    (
        r"\bparents?\b|\b(?:is|are) .{1,60}\ba child of\b|more general|broader",
        Intent("parent", headings=("Child of", "Sub-technique of", "Member of")),
    ),
    (
        r"\bchild(?:ren)?\b|more specific|narrower",
        Intent("child", headings=("Parent of", "Sub-techniques", "Members")),
    ),
    (
        r"\battributed\b|\bbehind\b|responsible for",
        Intent("attribution", headings=("Attributed to", "Campaigns")),
    ),
    (r"\bplatforms?\b|operating systems?", Intent("platform", facts=("Platforms",))),
    (r"\bseverity\b|\bsevere\b", Intent("severity", facts=("Typical severity",))),
    (
        r"\blikelihood\b|\bhow likely\b",
        Intent("likelihood", facts=("Likelihood of attack", "Likelihood of exploit")),
    ),
    (r"\babstraction\b", Intent("abstraction", facts=("Abstraction",))),
    (
        r"mitigat|countermeasure|\bprevent|\bprotect(?!ed\b)|\bdefend|\bremediat|\bharden|"
        r"\bhow (?:\w+ ){1,3}(?:stop|avoid|fix)",
        Intent("mitigation", ("mitigation",), ("Mitigated by",)),
    ),
    (
        r"\bdetect|\bmonitor|data (?:sources?|components?)|\bspot\b|\bhunt\b|\btelemetry\b",
        Intent("detection", ("detection",)),
    ),
    (
        r"consequence|\bimpacts?\b|\bdamage\b|\bresults? (?:in|of|from)\b|\blead(?:s)? to\b",
        Intent("consequence", ("consequence",)),
    ),
    (r"prerequisite|\bprecondition", Intent("prerequisite", ("prerequisite",))),
    (r"\bskills?\b", Intent("skill", ("skill",))),
    (r"\bresources? (?:are |is )?(?:needed|required)", Intent("resource", ("resource",))),
    (r"execution flow|\bsteps?\b|\bstages?\b", Intent("flow", ("flow",))),
    (r"\bexamples?\b", Intent("example", ("example", "procedure"))),
    (
        r"\bintroduced\b|\bintroduction\b",
        Intent("introduction", ("introduction",), facts=("Introduced in",)),
    ),
    (
        r"\b(?:CWEs?|weakness(?:es)?) .{0,40}\b(?:target|exploit|relate|link|associate|map|do)",
        Intent("weakness", headings=("Weaknesses",)),
    ),
    (
        r"\b(?:CAPECs?|attack patterns?) .{0,40}\b(?:target|exploit|relate|link|associate|map|use)",
        Intent("attack pattern", headings=("Attack patterns",)),
    ),
    (
        r"\b(?:groups?|actors?|campaigns?|malware|software|tools?|who)\b.{0,40}\buse[sd]?\b|"
        r"\bused by\b",
        Intent("use", headings=("Used by", "Uses")),
    ),
    (
        r"\btechniques?\b.{0,60}\b(?:use[sd]?|mitigate[sd]?|address|belong|part of|in)\b",
        Intent("technique", headings=("Uses", "Techniques", "Mitigates", "ATT&CK techniques")),
    ),
)
# A match runs on to the end of its word: ``mitigat`` takes ``mitigated``.
_COMPILED = tuple(
    (re.compile(rf"(?:{pattern})\w*", re.IGNORECASE), wish) for pattern, wish in _WISHES
)
_DEFINES = re.compile(
    r"\b(?:what|who) (?:is|are|was)\b|\bdefin|\bdescri|\bexplain|\bmean", re.IGNORECASE
)

# Words that make passages of a kind likelier to answer, whatever exactly is asked.
_KIND_WORDS = tuple(
    (kind, re.compile(pattern, re.IGNORECASE))
    for kind, pattern in (
        (
            "mitigation",
            r"mitigat|prevent|countermeasure|remediat|address|recommend|defen[cs]e|protect|harden",
        ),
        ("detection", r"detect|monitor|data source|data component|identif|observ|spot|alert"),
        ("procedure", r"group|actor|malware|software|campaign|adversar|threat"),
        ("consequence", r"consequence|impact|result"),
        ("example", r"example"),
    )
)

# Words that frame a question and say nothing of its subject.
_FRAME = frozenset(
    terms(
        """answer ask best called choose common commonly consider correct describe described define
        definition describes description example explain find following general give given good help
        helps involve involves kind know known list main mean meaning means method name named names
        need needed one option page please possible primary primarily provide purpose question
        recommend recommended recommends related relation say says show statement tell term true
        type types typical typically used use uses using usually want way ways work works according
        context many much get there's exist exists against people someone something thing things
        anything make makes take takes like apply applies attempt case cases"""
    )
)

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
    r"would|will|name|list|tell|explain|describe|define|give|show)\b",
    re.IGNORECASE,
)
_LEAST_WORDS = 8  # "What is CVE-2021-44228?" describes nothing


def detect_intent(question: str) -> Intent | None:
    """Return what a question asks for, or None where it names nothing in particular."""
    for pattern, wish in _COMPILED:
        if pattern.search(question):
            return wish
    return DEFINITION if _DEFINES.search(question) else None


def passage_kinds(question: str) -> list[str]:
    """Return the kinds of passages that a question's words make likelier to answer it."""
    return [kind for kind, pattern in _KIND_WORDS if pattern.search(question)]


def content_terms(question: str) -> list[str]:
    """Return the terms of a question that speak of its subject, once each."""
    bare = question
    for pattern, _ in _COMPILED:
        if pattern.search(bare):
            bare = pattern.sub(" ", bare, count=1)
            break
    found = dict.fromkeys(term for term in terms(bare) if term not in _FRAME)
    return list(found)


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
