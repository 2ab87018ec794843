"""Long passages cut to the sentences that bear on what is asked, for models that read slowly."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from cybersecqwen.core.records import Passage
from cybersecqwen.core.text.sentences import sentences
from cybersecqwen.core.text.terms import terms

# Relations list what they lead to: ``Used by: A (G0001); B (G0002).``
_LIST = re.compile(r"([A-Z][\w&' -]{2,40}): (.+;.+)")
_GAP = "..."

EXCERPT_WORDS = 90
"""Words of a passage shown before a choice, in ``ask`` and in the rows that teach it."""


def excerpts(passages: Sequence[Passage], asked: str, words: int) -> list[Passage]:
    """Return the passages, those of more than ``words`` words cut to what bears on a question.

    The first sentence stays, since it says what the passage is about; then come those that share
    most with what is asked, words that few of the sentences hold counting more, as long as there
    is room. Of a list, such as the groups that use a technique, the items that share something
    stay. What is left keeps its order, and ``...`` stands for what is left out.

    Args:
        passages: Passages in any order, which is kept.
        asked: The question and its options.
        words: That a passage may have, at least 1; its first sentence may alone have more.
    """
    parts = [_parts(passage.text) for passage in passages]
    holders = Counter(term for found in parts for text in found for term in set(terms(text)))
    count = sum(map(len, parts))
    wanted = {term: math.log1p(count / holders[term]) for term in terms(asked) if term in holders}
    return [
        replace(passage, text=_cut(passage.text, found, wanted, words))
        for passage, found in zip(passages, parts, strict=True)
    ]


def _parts(text: str) -> list[str]:
    """Return a passage's sentences, and the items of its lists each behind the list's heading."""
    found = []
    for sentence in sentences(text):
        listed = _LIST.fullmatch(sentence.rstrip("."))
        if listed is None:
            found.append(sentence)
            continue
        found += [f"{listed[1]}: {item.strip()}." for item in listed[2].split(";")]
    return found


def _cut(text: str, parts: Sequence[str], wanted: dict[str, float], words: int) -> str:
    if len(text.split()) <= words:
        return text
    scores = [sum(wanted.get(term, 0.0) for term in set(terms(part))) for part in parts]
    room = words - len(parts[0].split())
    kept = {0}
    for place in sorted(range(1, len(parts)), key=lambda n: -scores[n]):
        size = len(parts[place].split())
        if scores[place] > 0 and size <= room:
            kept.add(place)
            room -= size
    shown: list[str] = []
    before = -1
    for place in sorted(kept):
        if place != before + 1:
            shown.append(_GAP)
        shown.append(parts[place])
        before = place
    if before + 1 < len(parts):
        shown.append(_GAP)
    return " ".join(shown)
