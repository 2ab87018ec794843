"""How questions are put and how texts are shortened and reworded, so that none is verbatim."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import msgspec
import yaml

from cybersecqwen.core.text.clean import capital, clean
from cybersecqwen.core.text.sentences import sentences
from cybersecqwen.core.text.synonyms import replacements

STYLES = ("plain", "exam", "analyst", "terse")
"""Families of wording. A reader can be tried on one that it never trained on."""

_BRACKETS = re.compile(r"\s*\((?:[^()]|\([^()]*\))*\)|\s*\[[^\]]*\]")
_TAIL = re.compile(
    r"(?:,|;| -|:) (?:such as|including|which|where|e\.g\.|for example|especially)\b.*"
)
_HALVES = re.compile(
    r"^(?P<first>.{30,}?),? (?P<mark>in order to|so that|by(?= \w+ing\b)|because|such as|via|"
    r"resulting in|which (?:may|can|could)|allowing|leading to|through) (?P<second>.{12,})$"
)
_ASKS = {
    "in order to": "to what end?",
    "so that": "with what aim?",
    "by": "by doing what?",
    "because": "for what reason?",
    "such as": "for instance what?",
    "via": "by what means?",
    "through": "by what means?",
    "resulting in": "with what result?",
    "leading to": "with what result?",
    "allowing": "allowing what?",
}
_DROPPED_SHARE = 0.15


class Phrases(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a kind of question asks for.

    Attributes:
        noun: What an option is.
        nouns: Several of them.
        says: What is said of the right option, in several ways.
        asks: Further ways, with the verb first, for questions alone.
    """

    noun: str
    nouns: str
    says: list[str]
    asks: list[str] = []


class Wordings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How questions are put.

    Attributes:
        families: Layouts by family.
        negated: The same for questions that ask for the exception.
        halves: The same for questions that break a sentence off.
        kinds: What each kind asks for.
    """

    families: dict[str, list[str]]
    negated: dict[str, list[str]]
    halves: dict[str, list[str]]
    kinds: dict[str, Phrases]


class _WordLists(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    synonyms: list[list[str]]
    openers: list[str]
    weak: list[str]


@dataclass(frozen=True)
class _Lexicon:
    swaps: Mapping[str, tuple[str, ...]]
    pattern: re.Pattern[str]
    opener: re.Pattern[str]
    weak: frozenset[str]


@dataclass(frozen=True, slots=True)
class Halves:
    """A sentence cut at a connective: what is asked, and what completes it."""

    first: str
    mark: str
    second: str

    @property
    def asks(self) -> str:
        """The words that ask for the second half."""
        return _ASKS.get(self.mark, "with what possible effect?")


@lru_cache(maxsize=1)
def wordings() -> Wordings:
    """Return the wordings that ship with the package."""
    text = files("cybersecqwen.corpus.quiz").joinpath("wordings.yaml").read_text("utf-8")
    return msgspec.convert(yaml.safe_load(text), Wordings)


@lru_cache(maxsize=1)
def _lexicon() -> _Lexicon:
    text = files("cybersecqwen.corpus.quiz").joinpath("words.yaml").read_text("utf-8")
    words = msgspec.convert(yaml.safe_load(text), _WordLists)
    swaps = {word.lower(): others for word, others in replacements(words.synonyms).items()}
    longest_first = sorted(swaps, key=len, reverse=True)
    return _Lexicon(
        swaps,
        re.compile(rf"\b(?:{'|'.join(map(re.escape, longest_first))})\b", re.IGNORECASE),
        re.compile(rf"^(?:{'|'.join(map(re.escape, words.openers))}),? ", re.IGNORECASE),
        frozenset(words.weak),
    )


def bare_sentences(text: str) -> Iterator[str]:
    """Yield the sentences of a text, each on one line and without its full stop."""
    for paragraph in text.split("\n\n"):
        for sentence in sentences(clean(paragraph)):
            if stripped := sentence.rstrip(".:; "):
                yield stripped


def halves(sentence: str) -> Halves | None:
    """Cut a sentence where it goes on to say why, how or with what effect; None if it does not."""
    match = _HALVES.match(_BRACKETS.sub("", sentence))
    return Halves(match["first"], match["mark"], match["second"]) if match else None


def masked(text: str, names: tuple[str, ...], instead: str) -> str:
    """Return a text without the names that would give its page away."""
    for name in sorted(names, key=len, reverse=True):
        if len(name) > 2:
            pattern = rf"(?<!\w){re.escape(name)}(?:’s|'s)?(?!\w)"
            text = re.sub(pattern, lambda _: instead, text, flags=re.IGNORECASE)
    return text


def reworded(text: str, level: int, draw: random.Random) -> str:
    """Return a text as somebody else might put it.

    Args:
        text: A sentence or phrase.
        level: 0 leaves it; 1 shortens it; 2 shortens it, changes words for others of the same
            meaning, turns halves round and leaves some words out.
        draw: Source of random choices.
    """
    if level == 0:
        return text
    lexicon = _lexicon()
    text = lexicon.opener.sub("", _BRACKETS.sub("", text)).strip()
    short = _TAIL.sub("", text)
    if len(short.split()) >= 6:
        text = short
    text = _swapped(text, lexicon, 0.35 if level == 1 else 0.8, draw)
    if level == 2:
        text = _thinned(_turned(text, draw), lexicon, draw)
    return capital(text)


def _swapped(text: str, lexicon: _Lexicon, share: float, draw: random.Random) -> str:
    def other(match: re.Match[str]) -> str:
        if draw.random() >= share:
            return match[0]
        return draw.choice(lexicon.swaps[match[0].lower()])

    return lexicon.pattern.sub(other, text)


def _turned(text: str, draw: random.Random) -> str:
    first, mark, second = text.partition(" by ")
    if mark and len(first.split()) >= 4 and len(second.split()) >= 3 and draw.random() < 0.3:
        return f"by {second}, {first[:1].lower()}{first[1:]}"
    return text


def _thinned(text: str, lexicon: _Lexicon, draw: random.Random) -> str:
    words = text.split()
    kept = [
        word
        for place, word in enumerate(words)
        if place < 2
        or not (
            (word.lower() in lexicon.weak and draw.random() < 0.6)
            or (len(words) > 8 and word.islower() and draw.random() < _DROPPED_SHARE)
        )
    ]
    return " ".join(kept)


def worded(kind: str, style: str, slots: Mapping[str, str], draw: random.Random) -> str:
    """Return a question of a kind, put as a family puts it."""
    known = wordings()
    if "first" in slots:
        text = draw.choice(known.halves[style]).format(**slots)
    else:
        phrases = known.kinds[kind.removesuffix("-not")]
        layouts = known.negated if kind.endswith("-not") else known.families
        parts = {
            "noun": phrases.noun.format(**slots),
            "nouns": phrases.nouns,
            "says": draw.choice(phrases.says).format(**slots),
            "asks": draw.choice([*phrases.says, *phrases.asks]).format(**slots),
            "catalogue": slots["catalogue"],
        }
        text = draw.choice(layouts[style]).format(**parts)
    text = clean(text)
    return capital(text)
