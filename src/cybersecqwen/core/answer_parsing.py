"""Reading an answer out of what a model wrote.

A reader is data, a few patterns tried in order, so that a protocol's way of reading can be named,
hashed into a log, and run again over saved text without the model.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from cybersecqwen.core.cvss import VECTOR_REGEX, canonical_vector
from cybersecqwen.core.taxonomy import canonical_cwe

AnswerKind = Literal["cwe", "choice", "cvss", "techniques", "actor", "text"]
"""What an answer is: a CWE id, an option's letter, a CVSS vector, ATT&CK ids, a group's name, or
free text that a program checks."""

Pick = Literal["first", "last", "unique", "all"]
"""Which match counts. ``unique``: all matches must agree."""

TECHNIQUE_REGEX = r"(?i)\b(T\d{4})(?:\.\d{3})?\b"
"""An ATT&CK technique id; a sub-technique is folded into its technique."""

_HYPHENS = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2212", "-"))
_MAX_ACTOR_CHARACTERS = 80


@dataclass(frozen=True, slots=True)
class Pattern:
    """One way to find an answer.

    Attributes:
        regex: A regular expression whose first group is the answer. ``{letters}`` in it stands
            for the range of permitted letters, such as ``A-D``.
        pick: Which match counts.
        last_line: Look only at the last line that is not empty.
    """

    regex: str
    pick: Pick = "first"
    last_line: bool = False


@dataclass(frozen=True, slots=True)
class AnswerParser:
    """How a protocol reads answers of one kind.

    Attributes:
        kind: What an answer is.
        patterns: Tried in order; the first that gives an answer ends the search.
    """

    kind: AnswerKind
    patterns: tuple[Pattern, ...]

    def read(self, text: str, options: int = 4) -> str | None:
        """Return the answer in canonical form, or None where none can be read.

        Args:
            text: What the model wrote.
            options: How many letters are permitted, for a choice.
        """
        letters = f"A-{chr(ord('A') + options - 1)}"
        for pattern in self.patterns:
            found = _find(pattern, text, letters)
            answer = canonical_answer(self.kind, found) if found else None
            if answer:
                return answer
        return None


@lru_cache(maxsize=256)
def _compiled(regex: str, letters: str) -> re.Pattern[str]:
    return re.compile(regex.replace("{letters}", letters))


def _find(pattern: Pattern, text: str, letters: str) -> str:
    if pattern.last_line:
        text = next((line for line in reversed(text.splitlines()) if line.strip()), "").strip()
    regex = _compiled(pattern.regex, letters)
    if pattern.pick == "first":
        match = regex.search(text)
        return match[1] if match else ""
    found = [match[1] for match in regex.finditer(text)]
    if not found:
        return ""
    if pattern.pick == "all":
        return ",".join(found)
    if pattern.pick == "unique" and len({value.upper() for value in found}) > 1:
        return ""
    return found[-1]


def canonical_answer(kind: AnswerKind, text: str) -> str | None:
    """Return the form in which answers of a kind are compared, or None where ``text`` is none.

    Ids and letters are upper case; ATT&CK ids lose their sub-technique, are sorted, and occur
    once; a CVSS vector is as ``core.cvss.canonical_vector`` gives it; a name loses its markup.
    """
    if kind == "cwe":
        return canonical_cwe(text.translate(_HYPHENS))
    if kind == "choice":
        letter = text.strip().upper()
        return letter if len(letter) == 1 and "A" <= letter <= "Z" else None
    if kind == "cvss":
        return canonical_vector(text)
    if kind == "techniques":
        ids = {match[1].upper() for match in re.finditer(TECHNIQUE_REGEX, text)}
        return ",".join(sorted(ids)) or None
    if kind == "text":
        return text.strip() or None
    name = " ".join(text.split()).strip(" *_`\"'.:;[]<>")
    return name if 0 < len(name) <= _MAX_ACTOR_CHARACTERS else None


CWE_LAST = AnswerParser("cwe", (Pattern(r"(?i)(CWE-\d+)", "last"),))
"""The last id named: how CyberSecQwen's authors read."""

CWE_UNIQUE = AnswerParser(
    "cwe",
    (
        Pattern(r"(?i)\b(CWE[-\u2011]\d+)\b", "unique"),
        Pattern(r"(?i)\b(?:CWE|ID):\s+(\d+)\b", "unique"),
    ),
)
"""The one id named; a reply that names two is no answer (FAITH 0.3.2)."""

CHOICE_REF = AnswerParser(
    "choice",
    (
        Pattern(r"(?i)answer\s*:\s*\(?([{letters}])\)?"),
        Pattern(r"(?i)answer\s+is\s*:?\s*\(?([{letters}])\)?"),
        Pattern(r"(?i)^\(?([{letters}])\)?$", last_line=True),
        Pattern(r"(?i)option\s+\(?([{letters}])\)?"),
    ),
)
"""How CyberSecQwen's authors read: no word boundary, so ``Answer: Because`` is a B."""

CHOICE_UNIQUE = AnswerParser(
    "choice",
    (
        Pattern(r"(?i)\banswer\s*:\s*\(?([{letters}])\b", "unique"),
        Pattern(r"(?i)\banswer\s+is:?\s+(?:\(|\*\*)?([A-Z])\b", "unique"),
        Pattern(r"\(([A-Z])\)", "unique"),
        Pattern(r"(?i)\boption\s+([A-Z])\b", "unique"),
        Pattern(r"(?i)^\W*([A-Z])\W*$", "unique"),
    ),
)
"""Word boundaries and agreement asked for (FAITH 0.3.2).

FAITH's own last three patterns go further and take no letter that is named twice.
"""

CHOICE_PAPER = AnswerParser(
    "choice",
    (
        Pattern(r"(?i)answer:\s?\(?([{letters}])(?:\)|\b)"),
        Pattern(r"(?i)answer is:? \(?([{letters}])(?:\)|\b)"),
        Pattern(r"(?:^|\s)\(?([{letters}])\)?(?=[\s.,]|$)", "last"),
        Pattern(r"(?i)option\s+([{letters}])\b"),
    ),
)
"""How Foundation-Sec-8B's report reads (arXiv 2504.21039, appendix B.4.1).

It does not say which standalone letter counts when there are several; here the last, since the
benchmark asks for the answer on the last line.
"""

CHOICE_EXACT = AnswerParser("choice", (Pattern(r"(?i)^\s*([{letters}])\s*$"),))
CWE_EXACT = AnswerParser("cwe", (Pattern(r"(?i)^\s*(CWE-\d+)\s*$"),))

CVSS_LAST = AnswerParser("cvss", (Pattern(VECTOR_REGEX, "last"),))
CVSS_UNIQUE = AnswerParser("cvss", (Pattern(VECTOR_REGEX, "unique"),))

TECHNIQUES_LAST_LINE = AnswerParser(
    "techniques",
    (
        Pattern(TECHNIQUE_REGEX, "all", last_line=True),
        Pattern(TECHNIQUE_REGEX, "all"),
    ),
)
"""All ids of the last line, as CTI-Bench's prompt asks; of the whole reply where it has none."""

TECHNIQUES_STRICT = AnswerParser("techniques", (Pattern(TECHNIQUE_REGEX, "all", last_line=True),))

_ACTOR_LINE = r"(?im)^\W*(?:answer|threat actor)\s*:\s*(.+?)\W*$"
ACTOR_LINE = AnswerParser(
    "actor",
    (Pattern(_ACTOR_LINE, "last"), Pattern(r"^\s*([^\n]{1,60}?)\s*$"), Pattern(r"\*\*(.+?)\*\*")),
)
"""The ``Answer:`` or ``Threat Actor:`` line; a reply of one short line; the first bold name."""

ACTOR_EXACT = AnswerParser("actor", (Pattern(r"^\s*([^\n]+?)\s*$"),))
ACTOR_STRICT = AnswerParser("actor", (Pattern(_ACTOR_LINE, "unique"),))

TEXT_WHOLE = AnswerParser("text", (Pattern(r"(?s)(.+)"),))
"""The whole answer."""
