"""Words as they were meant: typing errors mended towards words that the knowledge base knows."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from functools import cache, cached_property, lru_cache
from importlib import resources

from cybersecqwen.knowledge.concepts import concept_words

WORDS = "words.json"
"""How often each word stands in the passages, in lower case."""

_LEAST_COUNT = 3  # of a word that is kept: rarer ones may be errors themselves
_KNOWN_COUNT = 8  # of a word that is taken as it stands
_TARGET_COUNT = 20  # of an ordinary word that an error may be mended to
_SHORT_TARGET_COUNT = 300  # the same for words of four letters
_LEAST_BASE = 4  # letters of a word that an ending is added to
_WORD = re.compile(r"[a-z]{2,24}")
_LOWER_WORD = re.compile(r"(?<![\w.\\/-])[a-z]{2,24}(?![\w\\/-])")

# Function words as people type them in a hurry; too short or too frequent for edit distance.
_HASTY = {
    "adn": "and", "agianst": "against", "cna": "can", "diff": "difference", "doe": "does",
    "dont": "don't", "fro": "for", "hwo": "how", "pls": "please", "plz": "please", "teh": "the",
    "thier": "their", "thx": "thanks", "u": "you", "waht": "what", "wat": "what", "wats": "what",
    "whats": "what", "whatis": "what", "whcih": "which", "whic": "which", "whihc": "which",
    "whos": "who", "wht": "what", "wich": "which", "wihch": "which", "wth": "with",
    "tecnique": "technique",
}  # fmt: skip


@cache
def _everyday_words() -> frozenset[str]:
    """Common English words that MITRE's pages hardly use but for whose neighbours they do."""
    file = resources.files("cybersecqwen.knowledge").joinpath("everyday_words.txt")
    return frozenset(file.read_text("utf-8").split())


def is_everyday(word: str) -> bool:
    """Whether a word in small letters is common English that MITRE's pages hardly use."""
    return word in _everyday_words()


# What questions are made of, though MITRE's pages may seldom say it.
_ASKING = [
    "aliases",
    "allowed",
    "analytics",
    "assign",
    "avoid",
    "against",
    "attack",
    "campaign",
    "campaigns",
    "child",
    "children",
    "compare",
    "conditions",
    "consequence",
    "consequences",
    "contrast",
    "countermeasure",
    "countermeasures",
    "defend",
    "defense",
    "deprecated",
    "description",
    "detect",
    "detecting",
    "detection",
    "difference",
    "differences",
    "different",
    "discouraged",
    "example",
    "examples",
    "explain",
    "family",
    "fix",
    "groups",
    "hunting",
    "impact",
    "instead",
    "likelihood",
    "malware",
    "mapping",
    "member",
    "members",
    "mitigate",
    "mitigated",
    "mitigation",
    "mitigations",
    "monitor",
    "monitoring",
    "parent",
    "parents",
    "pattern",
    "patterns",
    "persistence",
    "platform",
    "platforms",
    "prerequisites",
    "prevent",
    "preventing",
    "procedure",
    "prohibited",
    "protect",
    "protecting",
    "protection",
    "ransomware",
    "relation",
    "relationship",
    "remediation",
    "replaced",
    "replacement",
    "severity",
    "similar",
    "software",
    "spot",
    "stop",
    "subtechnique",
    "subtechniques",
    "successor",
    "superseded",
    "tactic",
    "tactics",
    "technique",
    "techniques",
    "threat",
    "tool",
    "tools",
    "weakness",
    "weaknesses",
    "withdrawn",
    "number",
    "please",
    "which",
]


def word_counts(texts: Iterable[str], *, lower_case: bool = False) -> dict[str, int]:
    """Return how often words stand in texts, without the rarest; or only those in lower case."""
    pattern = _LOWER_WORD if lower_case else _WORD
    counts = Counter(
        word for text in texts for word in pattern.findall(text if lower_case else text.lower())
    )
    return {word: count for word, count in sorted(counts.items()) if count >= _LEAST_COUNT}


class Speller:
    """Mends single words.

    Args:
        counts: How often words stand in the passages.
        names: Words that names are made of, in lower case.
    """

    def __init__(self, counts: Mapping[str, int], names: Iterable[str]) -> None:
        self._counts = counts
        self._names = {name for name in names if name.isalpha()}
        self._asking = frozenset(_ASKING)
        self.mended = lru_cache(1 << 14)(self._mended)

    @cached_property
    def _by_letter(self) -> dict[str, list[str]]:
        """The words that an error may be mended to, by their first letter."""
        found: dict[str, list[str]] = defaultdict(list)
        targets = {w for w, n in self._counts.items() if n >= _TARGET_COUNT and len(w) > 3}
        for word in sorted(targets | self._asking | {n for n in self._names if len(n) > 3}):
            found[word[0]].append(word)
        return dict(found)

    def knows(self, word: str) -> bool:
        """Whether a word is taken as it stands."""
        return (
            word in self._names
            or word in self._asking
            or self._counts.get(word, 0) >= _KNOWN_COUNT
            or word in _everyday_words()
            or word in concept_words()
        )

    def _mended(self, word: str) -> str:
        """Return the word meant: a known word within one or two edits, else the word itself."""
        if word in _HASTY:
            return _HASTY[word]
        if len(word) < 4 or not word.isalpha() or self.knows(word) or self._inflected(word):
            return word
        most = 1 if len(word) < 7 else 2
        found = [
            (distance, -self._weight(other), other)
            for other in self._by_letter.get(word[0], ())
            if abs(len(other) - len(word)) <= most
            and (distance := edit_distance(word, other, most)) <= most
            # Two edits lead too often from one ordinary word to another.
            and (distance < 2 or other in self._asking or other in self._names)
            and (len(word) > 4 or self._weight(other) >= _SHORT_TARGET_COUNT)
        ]
        return min(found)[2] if found else word

    def _weight(self, word: str) -> int:
        bonus = 1000 if word in self._asking else 100 if word in self._names else 0
        return self._counts.get(word, 0) + bonus

    def _inflected(self, word: str) -> bool:
        """Whether a word is a known one with an ending."""
        return any(
            word.endswith(ending)
            and len(word) - len(ending) >= _LEAST_BASE
            and self.knows(word[: -len(ending)] + rest)
            for ending, rest in (("s", ""), ("es", ""), ("ed", ""), ("ed", "e"), ("ing", ""),
                                 ("ing", "e"), ("er", ""), ("ies", "y"), ("ly", ""))
        )  # fmt: skip


def edit_distance(first: str, second: str, most: int) -> int:
    """Return how many letters must be changed, added, dropped or exchanged with their neighbour.

    Optimal string alignment (Damerau, CACM 7(3), 1964); ``most + 1`` for anything beyond ``most``.
    """
    before: list[int] = []
    row = list(range(len(second) + 1))
    for i, letter in enumerate(first, 1):
        last, row, older = row, [i], before
        for j, other in enumerate(second, 1):
            cost = min(row[j - 1] + 1, last[j] + 1, last[j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == second[j - 2] and first[i - 2] == other:
                cost = min(cost, older[j - 2] + 1)
            row.append(cost)
        before = last
        if min(row) > most:
            return most + 1
    return min(row[-1], most + 1)
