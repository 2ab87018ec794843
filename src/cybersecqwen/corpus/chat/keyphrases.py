"""Which words of a description point to its weakness: learnt from labelled descriptions.

A phrase of one to four words is evidence for a weakness when descriptions that hold it bear the
label much more often than others do (the lift of association rules: Brin et al., SIGMOD 1997, with
the phrase's counts shrunk towards the label's base rate). Only words that security texts explain
weaknesses with may stand in a phrase, and one of them must be a word that tells this weakness: so a
product's name or a vendor's habitual sentence is not taken for evidence, however often it goes with
a label.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

import yaml

from cybersecqwen.core.text.terms import stem

_WORD = re.compile(r"[A-Za-z][A-Za-z]*(?:['’][a-z]+)?|\d+")
_LONGEST = 4
_SHRINK = 15.0
"""Imagined descriptions at the base rate, added to each phrase's own."""

_LEAST_LIFT = 2.5
_LEAST_SEEN = 8
_LEAST_SHARE = 0.15
_LEAST_SHARE_ALONE = 0.35
"""Share of the descriptions with a phrase that bear the label: for several words, for one."""

_LONGEST_QUOTE = 9
_GAP = re.compile(r"[\s/-]*")
"""What may stand between two words of one phrase."""

_LISTS = yaml.safe_load(
    files("cybersecqwen.corpus.chat").joinpath("keyphrases.yaml").read_text("utf-8")
)
_LINKS, _NEVER, _NOT_ALONE = (
    frozenset(_LISTS[name].split()) for name in ("links", "never", "not_alone")
)
_WEAK_START = re.compile(
    r"(?:(?:contains?|containing|goes? into|leads? to|leading to|results? in|resulting in|"
    r"vulnerable to|performs?|conduct|affects?|suffers? from|prone to)\s+)?(?:(?:an?|the)\s+)?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Finding:
    """A piece of a description that points to a weakness.

    Attributes:
        quote: The words as they stand there.
        weight: Natural logarithm of the lift.
        start: Offset of its first character.
    """

    quote: str
    weight: float
    start: int


class KeyphraseModel:
    """Phrases that point to weaknesses.

    Args:
        vocabulary: Lower-case words that may stand in a phrase.
        telling: Per weakness, the stems of words that tell it.
    """

    def __init__(self, vocabulary: Iterable[str], telling: Mapping[str, frozenset[str]]) -> None:
        self._words = frozenset(vocabulary) - _NEVER
        self._telling = telling
        self._weights: dict[str, dict[str, float]] = {}

    def learn(self, labelled: Sequence[tuple[str, str]]) -> None:
        """Count phrases in pairs of a description and the weakness it was given.

        Memory grows with the distinct phrases: some 200 MB for 60,000 descriptions.
        """
        seen: Counter[str] = Counter()
        together: Counter[tuple[str, str]] = Counter()
        rates = Counter(cwe for _, cwe in labelled)
        for text, cwe in labelled:
            for phrase in {found.phrase for found in self._phrases(text)}:
                seen[phrase] += 1
                together[phrase, cwe] += 1
        total = max(len(labelled), 1)
        self._weights = {}
        for (phrase, cwe), both in together.items():
            own = self._telling.get(cwe, frozenset())
            if own.isdisjoint(map(stem, phrase.split())) or both < min(
                _LEAST_SEEN, max(2, rates[cwe] // 4)
            ):
                continue
            rate = rates[cwe] / total
            share = (both + _SHRINK * rate) / (seen[phrase] + _SHRINK)
            least = _LEAST_SHARE if " " in phrase else _LEAST_SHARE_ALONE
            if share / rate >= _LEAST_LIFT and share >= min(least, 100 * rate):
                self._weights.setdefault(cwe, {})[phrase] = math.log(share / rate)

    def find(self, text: str, cwe: str, most: int = 2) -> tuple[Finding, ...]:
        """Return the strongest pieces of a description, in its order, each saying something new."""
        weights = self._weights.get(cwe)
        if not weights:
            return ()
        pieces = [piece for piece in self._phrases(text) if piece.phrase in weights]
        pieces.sort(key=lambda piece: (-_worth(piece, weights), piece.start))
        strong = [p for p in pieces if _worth(p, weights) > 0.6 * _worth(pieces[0], weights)]
        chosen: list[Finding] = []
        for piece in strong:
            start, end = _widened(piece, strong)
            quote = text[start:end]
            start += _WEAK_START.match(quote).end()  # type: ignore[union-attr] # matches nothing too
            quote = text[start:end]
            said = {word for c in chosen for word in c.quote.lower().replace("-", " ").split()}
            new = set(quote.lower().replace("-", " ").split()) - said - _LINKS
            apart = all(end < c.start or start > c.start + len(c.quote) for c in chosen)
            if quote and new and apart and not re.search(r'["\n]', quote):
                chosen.append(Finding(quote, weights[piece.phrase], start))
            if len(chosen) == most:
                break
        return tuple(sorted(chosen, key=lambda finding: finding.start))

    def points_to(self, text: str, cwe: str) -> float:
        """Return the weight of the strongest piece of a description for a weakness, else 0."""
        weights = self._weights.get(cwe, {})
        return max((weights.get(p.phrase, 0.0) for p in self._phrases(text)), default=0.0)

    def _phrases(self, text: str) -> Iterator[_Piece]:
        for run in self._runs(text):
            for first, head in enumerate(run):
                if head[0] in _LINKS:
                    continue
                for last in range(first, min(first + _LONGEST, len(run))):
                    words = [word for word, _, _ in run[first : last + 1]]
                    alone = last == first
                    if (
                        words[-1] in _LINKS
                        or len(words[-1]) < 2
                        or (alone and (words[0] in _NOT_ALONE or len(words[0]) < 3))
                    ):
                        continue
                    yield _Piece(" ".join(words), head[1], run[last][2], len(words))

    def _runs(self, text: str) -> Iterator[list[tuple[str, int, int]]]:
        """Yield stretches of permitted words with nothing but spaces and hyphens between them."""
        run: list[tuple[str, int, int]] = []
        for match in _WORD.finditer(text):
            word = match[0].lower()
            known = word in self._words or word in _LINKS
            joined = bool(run) and _GAP.fullmatch(text, run[-1][2], match.start()) is not None
            if run and not (known and joined):
                yield run
                run = []
            if known:
                run.append((word, match.start(), match.end()))
        if run:
            yield run


@dataclass(frozen=True, slots=True)
class _Piece:
    phrase: str
    start: int
    end: int
    size: int


def _widened(piece: _Piece, others: Sequence[_Piece]) -> tuple[int, int]:
    """Return where a piece begins and ends together with those that overlap it."""
    start, end, size = piece.start, piece.end, piece.size
    for other in others:
        if other.start <= end and other.end >= start and size < _LONGEST_QUOTE - _LONGEST:
            size += int(other.start < start) + int(other.end > end)
            start, end = min(start, other.start), max(end, other.end)
    return start, end


def _worth(piece: _Piece, weights: Mapping[str, float]) -> float:
    return weights[piece.phrase] * (1 + 0.15 * (piece.size - 1))


def telling_words(texts: Mapping[str, str], most: float = 0.12) -> dict[str, frozenset[str]]:
    """Return the stems of the words that tell weaknesses from each other.

    Args:
        texts: Per weakness, what its name, its other names and its definition say.
        most: Share of the texts above which a word tells nothing.
    """
    stems = {
        cwe: {stem(match[0].lower()) for match in _WORD.finditer(text)} - _LINKS
        for cwe, text in texts.items()
    }
    counts = Counter(word for found in stems.values() for word in found)
    common = {word for word, count in counts.items() if count > most * len(texts)}
    return {cwe: frozenset(found - common) for cwe, found in stems.items()}


def vocabulary(texts: Iterable[str]) -> set[str]:
    """Return the lower-case words that at least three of the texts explain weaknesses with."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update({match[0].lower() for match in _WORD.finditer(text)})
    return {word for word, count in counts.items() if count >= 3 and not word.isdigit()}
