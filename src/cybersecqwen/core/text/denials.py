"""What a text says is not so: flaws that were looked for and not found.

A classifier of words takes ``No XSS was found`` for a report of XSS. What is denied is left out of
what it reads. Missing protections are no denials: ``no CSRF token was found`` reports a flaw.
"""

from __future__ import annotations

import re
from functools import lru_cache

NOTHING_FOUND = "Nothing is known of it."
"""What stands for a text that only denies: no classifier makes much of it."""

_FLAW_WORDS = (
    r"(?:(?:vulnerabilit(?:y|ies)|weakness(?:es)?|flaws?|issues?|findings?|bugs?|problems?|"
    r"defects?|xss|csrf|xsrf|ssrf|sqli|xxe|idors?|rce|lfi|rfi|dos|injections?|clickjacking|"
    r"cross[ -]site (?:scripting|request forger(?:y|ies))|denial[ -]of[ -]service|"
    r"(?:over|under)flows?|over-?reads?|out[ -]of[ -]bounds (?:reads?|writes?|access(?:es)?)|"
    r"(?:use[ -]after|double)[ -]frees?|leaks?|leakage|traversals?|disclosures?|bypass(?:es)?|"
    r"escalations?|fixation|forger(?:y|ies)|deseriali[sz]ation|race conditions?|corruption|"
    r"crash(?:es)?|(?:null[ -])?(?:pointer )?dereferences?|pollution|hijacking|smuggling|"
    r"backdoors?|(?:code|command) execution|wraparounds?|zip[ -]slip|"
    r"(?:open |unvalidated )redirects?|"
    r"(?:hard-?coded|default|exposed|leaked) (?:credentials?|passwords?|keys?|secrets?)|"
    r"external entit(?:y|ies)(?: attacks?)?|format string bugs?)\b|"
    r"(?:missing|improper|insecure|broken|unrestricted|incorrect|insufficient|unsafe|inadequate|"
    r"dangerous)(?: \w+){1,3}?\b)"
)
# Protections are none: a form without XSS protection has a flaw.
_FLAW = (
    rf"{_FLAW_WORDS}(?![ -](?:protect|filter|prevent|mitigat|defen|detect|check|guard|sanit|"
    r"token|header|fix|patch|valid|control|encod|escap|limit|test|attempt|scan|polic))"
)
_NO_FLAW_WORD = (
    r"(?!(?:is|are|was|were|be|been|has|have|had|do|does|did|fix\w*|patch\w*|workarounds?|"
    r"updates?|users?|customers?|for|against|of|to|in|on|from|by|with|that|which|who|because|"
    r"longer|only|exploits?|attackers?|other|than|except|but|one|the|this|and|or|nor|no|not)\b)"
)
_WORD = rf"{_NO_FLAW_WORD}[\w'./()-]+[ \t]+"
_JOINED = r"(?:\s*,\s*(?:(?:or|and|nor)\s+)?|\s+(?:or|and|nor)\s+|\s*/\s*)(?:no\s+)?"
_NIL = r"(?<![\w.])0"
_THE = r"(?:(?:any|an?|the)\s+)?"
_SIGNS = (
    r"(?:(?:evidence|signs?|indications?|traces?|proof|instances?|cases?|occurrences?|alerts?|"
    rf"findings?|reports?|results?|hits?|paths?|ways?) (?:of|for|to)\s+{_THE})?"
)
# What is read comes from anybody: repetitions are bounded, and none is tried twice.
_NAMED = rf"(?>{_FLAW}(?:\s+(?:{_FLAW}|reports?\b|paths?\b)){{0,3}})"
_LISTED = rf"(?>{_NAMED}(?:{_JOINED}(?:{_WORD}){{0,3}}?{_NAMED}){{0,8}})"
_FLAWS = rf"{_SIGNS}(?:{_WORD}){{0,4}}?{_LISTED}"
_WHERE = (
    r"(?:\s+(?:suspected|reported|claimed|described|alleged|anywhere))?"
    r"(?:\s+(?:with|in|of|on|within|at|inside|across)(?:\s+[\w'./()-]+){1,6}?)?"
)
_BE = r"(?:was|were|is|are|has been|have been|had been|could be|can be)"
_FOUND = (
    r"(?:found|identified|detected|discovered|observed|seen|noted|reported|present|confirmed|"
    r"reproduced|reproducible|revealed|uncovered|triggered|achieved|possible|exploitable|evident|"
    r"known|raised|visible|verified|demonstrated|recorded|encountered|spotted|applicable|produced)"
)
_FIND = (
    r"(?:find|identify|detect|discover|observe|see|reveal|show|uncover|reproduce|confirm|exploit|"
    r"trigger|locate|demonstrate|note|report|turn up|result in|produce)"
)
_OPEN_TO = r"(?:vulnerable|susceptible|affected|exploitable|prone|exposed|impacted)"
_NOT_OPEN = rf"(?:\b(?:not|never|no longer)|n't)\s+(?:\w+ly\s+)?{_OPEN_TO}\b"
_CHECKED = (
    r"(?:looked|tested|checked|scanned|searched|probed|examined|audited|reviewed)(?: \w+){0,2}? "
    rf"(?:for|against) {_FLAWS}"
)
_ATTACK = (
    r"(?:inject|bypass|execute|run|overflow|exploit|upload|traverse|escape|reproduce|forge|trigger|"
    r"escalate|break|read|steal|crash)"
)
# What a flaw, or any of several, follows.
_BEFORE = (
    # There are not any; it never had one.
    r"(?:\b(?:there (?:is|are|was|were)(?:n't| not| never)|never (?:had|has|contained|contains)|"
    # We did not find any XSS; it could not be confirmed; we were unable to reproduce it.
    r"(?:(?:did|could|can|have|has)(?:\s*n[o']t)|cannot|unable to|failed to(?= reproduce))\s+"
    rf"(?:\w+ly\s+)?(?:{_FIND}|{_FOUND})|"
    # The code does not contain any hard-coded credentials. (``does not have CSRF`` is what some
    # write who mean its prevention.)
    r"(?:does|do|did)(?:\s+not|n't)\s+(?:contain|have|suffer from|exhibit|include|present|expose)"
    r"(?!.{0,40}\bcsrf\b))|"
    # It is not vulnerable to XSS.
    rf"{_NOT_OPEN}\s+(?:to|by|via|through))"
)

# What makes a protection no denial.
_UNLESS = (
    r"[^.;]{0,200}\b(?:bypass\w*|but|only|however|unless|if|when|except|incomplete\w*|insufficient\w*|"
    r"circumvent\w*|evad\w*|can be|could be)\b"
)
# What ends a suspicion.
_SETTLED = (
    r"[^.;]{0,80}?\b(?:but|until|before)\b[^.;]{0,60}?\b(?:rul(?:ed|ing) (?:this|it|that|them) out|"
    r"(?:disproved|refuted|dispelled|retracted|withdrew) (?:this|it|that|them))\b"
)

_DENIALS = re.compile(
    "|".join(
        (
            # No XSS was found in the form; neither SQL injection nor XSS was found.
            rf"(?<!by[ -])\b(?:no|zero|{_NIL}|neither|without any)\s+{_FLAWS}{_WHERE}\s+"
            rf"(?:{_BE}\s+)?(?:\w+ly\s+)?"
            rf"(?:{_FOUND}\b(?! to (?:be|have)\b)|exists?\b|occurs?\b|here\b)",
            # Known vulnerabilities: none. Result: no injection, no traversal.
            rf"(?:^|(?<=[.:;,!?\n])\s*)\s*(?:no|zero|{_NIL})\s+{_FLAWS}{_WHERE}"
            r"\s*(?=[.:;,!?\n]|$)",
            # There are no flaws; testing revealed no XSS; it has no denial of service flaw.
            r"\b(?:there(?:'s| is| are| was| were)|(?:find|found|detect|identif|discover|reveal|"
            r"show|saw|see|report|uncover|note|observ|yield|return|produc|indicat|confirm|rais)\w*|"
            rf"has|have|had|contains?|turned up)\s+(?:no|zero|{_NIL}|neither)\s+{_FLAWS}",
            # There is no evidence that the application suffers from SSRF.
            r"\bno (?:evidence|indications?|signs?|proof) that (?:[\w'-]+\s+){1,8}?"
            rf"(?:suffers? from|(?:is|are) {_OPEN_TO} (?:to|by)|has|have|contains?)\s+"
            rf"{_THE}{_FLAWS}",
            rf"{_BEFORE}\s+{_THE}{_FLAWS}",
            rf"\b(?:none of (?:the |our |its )?\w+|neither .{{1,60}}? nor .{{1,60}}?)\s+"
            rf"(?:is|are|was|were) {_OPEN_TO}(?:\s+(?:to|by)\s+{_THE}{_FLAWS})?",
            # XSS was not detected on any page; SQL injection: not found; the XSS was ruled out.
            rf"(?:\b(?:any|an?|the)\s+)?\b{_LISTED}(?:(?:\s+attacks?)?{_WHERE}\s*(?:[:=-]\s*)?"
            rf"(?:{_BE}\s+(?:(?:tested|checked|investigated|examined|analy[sz]ed|reviewed)"
            r"(?: \w+){0,2}? (?:and|but) )?|could |can )?"
            rf"(?:(?:not|no longer) (?:be |been )?"
            rf"(?:{_FOUND}|{_OPEN_TO}|a (?:security )?{_FLAW})\b(?! to (?:be|have)\b)|"
            r"(?:impossible|ruled out|excluded|refuted|disproved|retracted|withdrawn(?! from)|"
            r"(?:rejected|dismissed)(?!(?: by [^.;]{1,30}?)? as (?:low|minor|medium))"
            r"(?: as \w+)?)\b|"
            r"(?:turned out to be )?(?:an? )?false positives?\b|"
            r"(?:turned out )?not to be exploitable\b|no longer (?:exists?|occurs?|works?)\b|"
            r"(?:does|do|did)(?: not|n't) (?:exist|occur|apply)\b|"
            rf"(?:suspected|feared|alleged|claimed|reported){_SETTLED}|"
            # It cannot be reached (``cannot be fixed``); it is prevented, unless that is bypassed.
            r"(?:can ?not|can't|could not|couldn't) (?:be (?:reached|triggered|exploited|"
            r"reproduced|confirmed)|occur|happen|arise)\b"
            r"(?! (?:remotely|without|by|from|unless|over|until)\b)|"
            rf"(?:already )?(?:prevented|precluded) by\b(?!{_UNLESS})[^.;]{{0,120}})|"
            # XSS: none. SQLi absent.
            r"\s*(?:(?:[:=-]|\bis\b|\bare\b)\s*(?:none|negative|passed|n/a|no issues?|"
            r"no(?=\s*(?:[.;,]|$)))\b|\s(?:is |are )?absent\b))",
            rf"\bnot (?:look like |appear to be |seem to be )?an? (?:security )?{_FLAWS}",
            rf"\bpassed (?:the|all|every|our) (?:\w+ )?{_FLAW_WORDS} (?:tests?|checks?)\b",
            rf"\b(?:{_FLAW_WORDS} (?:tests?|checks?)|tests? for {_FLAWS}) "
            r"(?:was |were |came back )?(?:passed|negative|clean)\b",
            # Attempts at SQL injection failed; it was not possible to inject SQL.
            rf"\b(?:attempts? (?:at|of|to) [^.;,]{{0,60}}?|{_FLAW_WORDS} attempts? )\b"
            r"(?:failed|(?:was|were) (?:blocked|unsuccessful|rejected|in vain))\b",
            rf"\b(?:not possible|impossible|not able|unable) to {_ATTACK}\b[^.;,]{{0,60}}",
            # An overflow was suspected, but analysis ruled it out.
            rf"\b(?:suspect|believ|thought|fear|alleg|assum|claim|report)\w*\b[^.;]{{0,60}}?"
            rf"{_FLAWS}{_SETTLED}",
            # Dismissed as a false positive: path traversal; what looked like XSS is a glitch.
            rf"\b(?:rejected|dismissed|closed|marked) as (?:an? )?false positives?\s*[:,-]\s*{_THE}"
            rf"{_FLAWS}",
            rf"\bwhat (?:had )?(?:looked|appeared|seemed)(?: to be| like)? {_THE}{_FLAWS}",
            # Checked for pollution; nothing was found.
            r"\b(?:nothing|none)\s+(?:was|were|has been|could be)\s+(?:\w+ly\s+)?found\b|"
            r"\bfound (?:nothing|none)\b|\bnothing found\b",
        )
    ),
    re.IGNORECASE,
)
# Unaffected by the overflow; free of known flaws; we can rule out CSRF.
_SAFE = re.compile(
    r"\b(?:unaffected by|immune (?:to|against)|free (?:of|from)|rul(?:e|ed|es|ing) out|"
    rf"(?:secure|safe|protected|hardened) (?:against|from))\s+{_THE}{_FLAWS}",
    re.IGNORECASE,
)
# Before these it denies nothing: none of the forms is protected against CSRF.
_UNSAFE = re.compile(
    r"(?:\b(?:not|never|no|none|neither|nor|cannot|nobody|few|hardly|barely|far from|without|"
    r"lack\w*|fail\w*)\b|n't\b)[^;,:]*$",
    re.IGNORECASE,
)
_BARE = re.compile(_NOT_OPEN, re.IGNORECASE)
_LOOKED_FOR = re.compile(rf"\b{_CHECKED}", re.IGNORECASE)
_FEWEST_WORDS = 5  # of a sentence that may report something
_REMEMBERED = 10_000  # characters of a text whose reading is kept
_LONGEST = 1_000  # characters of a sentence that denies; longer ones are left as they are
# Said of those who use a flaw that is there.
_OF_ATTACKS = re.compile(
    r"\bin the wild\b|\bexploit(?:s|ed|ation)\b|\bthreat actors?\b", re.IGNORECASE
)
# What a sentence, in lower case, must have to deny anything: most have none of it, and are not
# looked at further.
_NEGATION = re.compile(
    r"\b(?:no|not|zero|neither|never|none|nothing|cannot|without any|unaffected|immune|absent|"
    r"free (?:of|from)|(?:secure|safe|protected|hardened) (?:against|from)|unable|impossible|"
    r"rul(?:e|ed|es|ing) (?:\w+ )?out|excluded|refuted|disproved|dispelled|retracted|withdr\w+|"
    r"rejected|dismissed|negative|prevented|precluded|closed|marked|what (?:had )?(?:looked|"
    r"appeared|seemed)|can't|couldn't|"
    r"false positives?|passed|clean|failed|blocked|unsuccessful|in vain)\b|n't\b|[:=-] ?n/a\b|"
    rf"{_NIL}\s"
)
_SENTENCE = re.compile(r"(?<=[.!?\n])\s+")
# What a text that reports a flaw has, in what is left of it.
_REPORTS = re.compile(
    rf"{_FLAW}|\b(?:although|though|but|yet|however|except|allow\w*|lets?|leads?|led|caus\w*|"
    r"result(?:s|ing)? in|attackers?|arbitrary|"
    r"craft\w*|malicious|remote(?:ly)?|exploit\w*|without|not|no|never|lack\w*|fail\w*|improperly|"
    r"insecurely|incorrectly|disclos\w*|expos\w*|execut\w*|inject\w*|steal\w*|read(?:s|ing)? "
    r"(?:files?|memory)|overwrit\w*|elevat\w*|privileges?|unauthori[sz]ed|unauthenticated)\b|n't\b",
    re.IGNORECASE,
)


def without_denials(text: str) -> str:
    """Return a text without the flaws that it denies; ``NOTHING_FOUND`` where it reports no other.

    Args:
        text: A description of a flaw, or of what a test found.
    """
    return split_denials(text)[0]


def split_denials(text: str) -> tuple[str, tuple[str, ...]]:
    """Return what ``without_denials`` does, and the words of the text that were left out for it."""
    if not _may_deny(text):
        return text, ()
    return _split(text) if len(text) <= _REMEMBERED else _split.__wrapped__(text)


@lru_cache(maxsize=2048)  # a text is read for its weakness, for its vector and for its row
def _split(text: str) -> tuple[str, tuple[str, ...]]:
    named: list[str] = []
    bare: list[str] = []
    sentences = _SENTENCE.split(text)
    read = [
        _read_sentence(sentence, named, bare)
        if len(sentence) <= _LONGEST and _may_deny(sentence)
        else (sentence, "")
        for sentence in sentences
    ]
    if not (named or bare):
        return text, ()
    if not any(_reports(said, rest) for said, (_, rest) in zip(sentences, read, strict=True)):
        return NOTHING_FOUND, (*named, *bare)
    if not named:
        return text, ()
    return " ".join(" ".join(left for left, _ in read).split()), tuple(named)


def _may_deny(text: str) -> bool:
    return _NEGATION.search(text.lower()) is not None


def _reports(sentence: str, rest: str) -> bool:
    """Whether a sentence reports a flaw: by its words or, where it denies none, its length.

    Args:
        sentence: The whole.
        rest: What is left of it without what it denies; empty where it denies nothing.
    """
    parts = [sentence]
    if rest:  # another half of it may report
        parts = rest.split(";") if ";" in rest else []
    long = any(len(part.split()) >= _FEWEST_WORDS for part in parts)
    return long or _REPORTS.search(rest or sentence) is not None


def _read_sentence(sentence: str, named: list[str], bare: list[str]) -> tuple[str, str]:
    """Return what is left of a sentence without what it denies, and that without ``_BARE`` too.

    The second is empty where it denies nothing. What was left out is added to the lists.
    """
    if _OF_ATTACKS.search(sentence):
        return sentence, ""
    left, flaws = _cut(_DENIALS, sentence, named)
    safe = _SAFE.search(left)
    if safe and not _UNSAFE.search(left, 0, safe.start()):
        left, more = _cut(_SAFE, left, named)
        flaws += more
    rest, others = _cut(_BARE, left, bare)
    if not (flaws or others):
        return sentence, ""
    return _LOOKED_FOR.sub(" ", left), _LOOKED_FOR.sub(" ", rest)


def _cut(pattern: re.Pattern[str], sentence: str, found: list[str]) -> tuple[str, int]:
    """Return a sentence without what matches, which is noted, and how often it did."""

    def note(match: re.Match[str]) -> str:
        found.append(" ".join(match[0].split()).strip(" .,:;!?-"))
        return " "

    return pattern.subn(note, sentence)
