"""Questions put in words that the rules know: openers cut off, other languages, names asked for.

``What do you call it when somebody leaves USB sticks around?`` asks for a technique as much as
``Somebody leaves USB sticks around, which technique?`` does, and ``Was ist CWE-79?`` as much as
``What is CWE-79?``. What a question is about stays as it was typed.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import resources

import yaml

_OPENER = re.compile(
    r"^\W*(?:(?:ok(?:ay)?|thanks?|thank you|great|cool|nice|alright|all right|right|well|hmm+|hi|"
    r"hello|hey|good|got it|i see|understood|perfect|sure|yes|yep|no)[\s,.!:;-]+)+"
    r"(?=(?:(?:and|so|but|then|now)\s+)?(?:what|which|who|how|why|when|where|is|are|can|could|do|"
    r"does|did|should|tell|give|show|list|explain)\b)",
    re.IGNORECASE,
)


@cache
def _asked_elsewhere() -> tuple[tuple[re.Pattern[str], str], ...]:
    """How other languages ask, each with how English does."""
    file = resources.files("cybersecqwen.knowledge").joinpath("foreign_questions.yaml")
    said: dict[str, list[str]] = yaml.load(file.read_text("utf-8"), Loader=yaml.CSafeLoader)
    return tuple(
        (re.compile(rf"^\W*(?:{'|'.join(patterns)})\s*", re.IGNORECASE), english)
        for english, patterns in said.items()
    )


_LEFT_OVER = re.compile(
    r"\s+(?:(?:zu )?(?:verhindern|vermeiden|schützen|schuetzen|stoppen|abwehren|beheben|wehren|"
    r"erkennen|entdecken|bemerken|ein)|とは(?:何ですか)?|nedir)\W*$",
    re.IGNORECASE,
)
# Scripts that leave no space between a name and what is asked of it.
_ASKED_AFTER = re.compile(
    r"^\s*([\x20-\x7e]*[A-Za-z0-9])\s*(?:とは(?:何(?:ですか)?|なんですか)?|って何(?:ですか)?|是什么(?:意思)?|"
    r"是什麼|什么是|이란(?: 무엇(?:인가요|입니까)?)?|이 뭐(?:야|예요))\W*$"
)
_ASKED_BEFORE = re.compile(r"^\s*(?:什么是|什麼是|何が)\s*([\x20-\x7e]*[A-Za-z0-9])\W*$")
_DIFFERS_ELSEWHERE = re.compile(
    r"^\W*(?:(?:was ist |worin besteht )?der unterschied zwischen|unterschied(?: zwischen)?|"
    r"(?:quelle est )?la différence entre|différence entre|"
    r"¿?\s?(?:cu[aá]l es )?la diferencia entre|diferencia entre|(?:qual è )?la differenza tra|"
    r"(?:qual é )?a diferença entre)\s+(.+?)\s+(?:und|et|y|e)\s+(.+?)\W*$",
    re.IGNORECASE,
)

# Whoever does not know what a thing is called asks for its name.
_THING = (
    r"(?:(?:kind|type|sort) of )?(?P<thing>bug|flaw|hole|vulnerability|vuln|weakness|error|mistake|"
    r"issue|problem|attack|technique|trick|method|tactic|scam|malware|thing)"
)
_THING_TOO = _THING.replace("(?P<thing>", "(?:")
_WE = r"(?:you|we|i|they|people|one|experts?)"
_NAME = r"(?:name|number|term|word|id|expression)"
_IS = r"(?:'s|s| is| would| do| are)?"
_CALL = r"(?:called|named|known as)"
_IT = r"(?:it|this|that|these|those|such (?:a|an))"
_ASKED_LAST = re.compile(
    r"^(?P<told>.{12,}?)(?:[\s,;.:?!-]+(?:so |and |but )?"
    rf"(?:(?:what|how){_IS} (?:{_IT} |the )?(?:{_THING_TOO} )?{_CALL}|"
    rf"what{_IS} (?:the |its )?(?:official |right |technical |correct )?{_NAME}"
    rf"(?: (?:of|for) (?:{_IT}|the)(?: {_THING_TOO})?)?|"
    rf"what (?:do|would|should) {_WE} call {_IT}(?: {_THING_TOO})?)|"
    rf"\s*[,;.:?!-]\s*(?:is there |any )?(?:a |an )?{_NAME}(?: for {_IT}(?: {_THING_TOO})?)?)\W*$",
    re.IGNORECASE,
)
_LINK = r"(?:when|if|where|in which|that|which|with which|by which|of)"
_ASKED_FIRST = re.compile(
    rf"^\W*(?:what (?:do|would|should) {_WE} call (?:{_IT}|an?|the)|"
    rf"(?:what|how){_IS} {_IT} {_CALL}|"
    rf"(?:what{_IS} |is there )(?:the |a |an )?(?:official |right |technical |correct )?"
    rf"{_NAME} (?:for|of|if|when) ?(?:{_IT}|an?|the)?)"
    rf"(?: ?{_THING})?(?P<link> {_LINK}) (?P<told>.{{12,}}?)\W*$",
    re.IGNORECASE,
)
_THING_SAID = re.compile(rf"\b{_THING}\b", re.IGNORECASE)
_FLAWS = frozenset(["bug", "flaw", "hole", "vulnerability", "vuln", "weakness", "error", "mistake"])
_DONE = re.compile(
    r"\b(?:hackers?|attackers?|adversar(?:y|ies)|criminals?|crooks?|thie(?:f|ves)|scammers?|"
    r"intruders?|actors?|gangs?|spies|malware|virus(?:es)?|ransomware|somebody|someone|they|people|"
    r"callers?|strangers?|employees?|staff|colleagues?)\b",
    re.IGNORECASE,
)
_NAMED = re.compile(r"\b(?:cwe|capec|technique|att&ck|tactic|group|tool)\b", re.IGNORECASE)


def rephrased(question: str) -> str:
    """Return a question in words that the rules know; as it is where they know them already.

    Args:
        question: As it was typed.
    """
    asked = _OPENER.sub("", question, count=1)
    return _names_asked_for(asked) or _translated(asked)


def _translated(question: str) -> str:
    if found := _DIFFERS_ELSEWHERE.match(question):
        return f"difference between {found[1]} and {found[2]}"
    if found := _ASKED_AFTER.match(question) or _ASKED_BEFORE.match(question):
        return f"what is {found[1]}"
    for pattern, said in _asked_elsewhere():
        about, count = pattern.subn("", question, count=1)
        if count and about.strip(" ?!.¿¡"):
            about = _LEFT_OVER.sub("", about).strip(" ?!.¿¡")
            return f"{said}{about}?"
    return question


def _names_asked_for(question: str) -> str:
    """Return a question for the name of what it tells as one for the weakness or the technique."""
    found = _ASKED_LAST.match(question) or _ASKED_FIRST.match(question)
    if found is None or _NAMED.search(question):
        return ""
    told = found["told"].strip(" ,;.:?!-")
    asks = question[: found.start("told")] + question[found.end("told") :]
    thing = _THING_SAID.search(asks)
    if thing and thing["thing"].lower() in _FLAWS:
        return f"{told}. Which CWE is it?"
    if (thing and thing["thing"].lower() not in {"issue", "problem", "thing"}) or _DONE.search(
        told
    ):
        return f"{told}, which technique is it?"
    return f"{told}. Which CWE is it?"
