"""The number that an answer states as its result, apart from those of its working."""

from __future__ import annotations

import re

_DIGITS = r"(?:(?<![\w.)\]}])-)?(?:\d+(?:[,\u00a0\u202f]\d{3})*(?:\.\d+)?|(?<![\d.])\.\d+)"
_NUMBER = re.compile(_DIGITS)

_ONES = [
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
    *("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen"),
    *("eighteen", "nineteen"),
]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_WORDS = dict(zip(_ONES, range(20), strict=True)) | {
    word: 10 * place for place, word in enumerate(_TENS, start=2)
}
_WORD = re.compile(
    rf"(?i)\b(?:{'|'.join([*_WORDS, 'hundred', 'thousand'])})"
    rf"(?:(?:[ -]|\sand\s)(?:{'|'.join([*_WORDS, 'hundred', 'thousand'])}))*\b"
)

_UNIT_POWER = re.compile(r"(?<=[A-Za-z}])(?:[²³]|\\?\(?\^\{?[23]\}?(?:\\\))?|<sup>[23]</sup>)")
_BOXED = re.compile(r"\\boxed\{([^{}]*(?:\{[^{}]*\}[^{}]*)*)\}")
_SAID = re.compile(rf"(?i)\banswer(?:\s+is|\s*[:=])[\s:*$€\\(\[]*({_DIGITS})")
_CLAUSES = re.compile(
    r"(?i)[.!?][\s*]+|[;\n]+|,?\s*\b(?:so|therefore|thus|hence|which (?:is|means|makes))\b"
)
_ASIDE = re.compile(r"(?<!\\)\([^()\\]*\)")
_REASON = re.compile(r"(?i)\b(?:because|since)\b.*", re.DOTALL)
_CLOCK = re.compile(r"\b\d{1,2}:\d{2}\b")
_DURATION = re.compile(rf"(?i)\b\d+\s*h(?:ours?)?\b,?\s*(?:and\s+)?{_DIGITS}\s*min(?:utes?)?\b")
_SAME = re.compile(
    r"(?i),?\s*(?:which is |or )?\b(?:the same as|equivalent to|in other words)\b[^.!?\n]*"
)
_NOT = re.compile(r"(?i)(?:\bnot|n't)(?:\s+be)?\W*\Z")
_LESS = re.compile(r"(?i)\W*(?:[a-z]+\s+)?(?:less|more|fewer|cheaper|off)\b")
_OTHER_UNIT = re.compile(
    rf"({_DIGITS}\s*([A-Za-z]+)),?\s+or\s+{_DIGITS}\s*(?!\2)[A-Za-z]+", re.IGNORECASE
)
_HEDGE = re.compile(rf"(?i){_DIGITS}\s+or\s+{_DIGITS}(?!/)|\bbetween\s+{_DIGITS}\s+and\s")
_RESULT = re.compile(r"(?i)(?:=|≈|:|\b(?:is|are|be|equals?|gives?|makes?|leaves?|costs?|has))\W*$")
_WORKING = re.compile(rf"{_DIGITS}[^\d=]{{0,5}}[*×·÷/+x-][^\d=]{{0,3}}{_DIGITS}[^\d=]*\Z")
_BESIDE = re.compile(
    r"(?i)(?<!total )(?<!sum )(?<!result )"
    r"\b(?:in|for|per|of|from|after|at|with|within|every|by)\s+\Z"
)
_LISTED = re.compile(rf"({_DIGITS})\s*(?:,|,?\s*and)\s*$")


def stated_number(question: str, answer: str) -> float | None:
    """Return the number that an answer gives as its result.

    That is what it boxes or names as the answer, else the last number of its last clause, where
    numbers that repeat the question, asides, reasons, times and other units count less. None where
    it states no number, or leaves open which of several it is.

    Args:
        question: What was asked.
        answer: What a model wrote.
    """
    answer = _UNIT_POWER.sub("", answer.replace("\u2212", "-"))
    if boxed := _BOXED.findall(answer):
        inside = _values(boxed[-1])
        return inside[-1] if len(set(inside)) == 1 else None
    if said := list(_SAID.finditer(answer)):
        return None if _HEDGE.match(answer, said[-1].start(1)) else _value(said[-1][1])
    known = set(_values(question)) | set(_word_values(question))
    if not _NUMBER.search(answer):
        worded = _word_values(answer)
        fresh = [value for value in worded if value not in known] or worded
        return fresh[-1] if fresh else None
    for said_again in (_DURATION, _SAME):
        shorter = said_again.sub("", answer)
        if set(_values(shorter)) - known:
            answer = shorter
    fallback: float | None = None
    for whole in reversed(_CLAUSES.split(answer)):
        clause = _without_asides(whole)
        found = [n for n in _NUMBER.finditer(clause) if not _NOT.search(clause[: n.start()])]
        if not found:
            continue
        if _WORKING.search(clause) or (
            len(found) > 1
            and all(_value(number[0]) in known for number in found)
            and not _RESULT.search(clause[: found[-1].start()])
        ):
            fallback = _value(found[-1][0]) if fallback is None else fallback  # "That is 6 x 7."
            continue
        return _of_clause(clause, found, known)
    return fallback


def _of_clause(clause: str, found: list[re.Match[str]], known: set[float]) -> float | None:
    """Return the number that a clause gives as a result, or None where it leaves that open."""
    if _HEDGE.search(clause):
        return None
    found = [n for n in found if not _LESS.match(clause, n.end())] or found
    chosen = found[-1]
    if not _RESULT.search(clause[: chosen.start()]):
        fresh = [n for n in found if _value(n[0]) not in known] or [chosen]
        # In "150 km in 2.5 hours" the second says of what.
        chosen = next(
            (n for n in reversed(fresh) if not _BESIDE.search(clause[: n.start()])), fresh[-1]
        )
    listed = _LISTED.search(clause[: chosen.start()])
    if listed and _value(listed[1]) not in known and "=" not in clause:
        return None
    return _value(chosen[0])


def _without_asides(clause: str) -> str:
    """Take out what says the number again or why, as long as a number is left."""
    for pattern, kept in (
        (_ASIDE, ""),
        (_ASIDE, ""),  # an aside within an aside
        (_REASON, ""),
        (_CLOCK, ""),
        (_OTHER_UNIT, r"\1"),
    ):
        shorter = pattern.sub(kept, clause)
        if _NUMBER.search(shorter):
            clause = shorter
    return clause


def _values(text: str) -> list[float]:
    return [_value(number) for number in _NUMBER.findall(text)]


def _value(number: str) -> float:
    return float(re.sub(r"[,\u00a0\u202f]", "", number))


def _word_values(text: str) -> list[float]:
    """Return the numbers that are written as words."""
    return [_word_value(found[0].lower()) for found in _WORD.finditer(text)]


def _word_value(words: str) -> float:
    whole, part = 0, 0
    for word in re.split(r"[ -]|\sand\s", words):
        if word in _WORDS:
            part += _WORDS[word]
        elif word == "hundred":
            part = max(part, 1) * 100
        elif word == "thousand":
            whole, part = whole + max(part, 1) * 1000, 0
    return float(whole + part)
