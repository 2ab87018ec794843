"""Sentences that name no weakness, to pad descriptions with in training.

They come from the descriptions themselves (which product, which versions, where to find the
update) and from a small grammar; a sentence with a word that tells of a weakness, an attack or
its effect is none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from importlib import resources
from typing import Literal

import msgspec
import numpy as np

from cybersecqwen.core.text.clean import clean
from cybersecqwen.core.text.sentences import sentences

_TELLING = re.compile(
    r"vulnerab|attack|exploit|inject|overflow|xss|script|auth|privileg|permission|access|memory|"
    r"crash|denial|arbitrar|malicious|craft|bypass|travers|disclos|leak|escalat|remote|execut|"
    r"overwrit|overread|read|writ|free|null|pointer|race|deserial|credential|password|encrypt|"
    r"certificat|token|session|cookie|csrf|forger|redirect|upload|download|path|file|sanitiz|"
    r"sanitis|validat|escap|neutrali|bound|buffer|integer|divi|loop|recurs|stack|heap|lock|"
    r"resource|exhaust|dos\b|sensitive|secret|key|plaintext|cleartext|hard-?coded|spoof|imperson|"
    r"trust|verif|sign|check|restrict|limit|improper|incorrect|missing|fail|error|issue|flaw|bug|"
    r"weakness|insecure|unsafe|unauthor|victim|user input|query|sql|command|code|shell|xml|"
    r"template|format|cwe|cve-|leverag|manipulat|impact|affect|compromis|inform|exposur|expos|"
    r"default|config|smuggl|split|truncat|potential|cvss|prototype|pollut|leading|trigger|allow|without|lack|before|user",
    re.IGNORECASE,
)

_LETTERS = "ABCDEFGHKLMNPRSTUVWX"
_SLOT = re.compile(r"\{(\w+)\}")
_NUMBERS: dict[str, Callable[[np.random.Generator], str]] = {
    "n": lambda draw: str(draw.integers(2, 900)),
    "d": lambda draw: str(draw.integers(1, 29)),
    "year": lambda draw: str(draw.integers(1998, 2027)),
    "v": lambda draw: ".".join(str(draw.integers(0, 25)) for _ in range(draw.integers(2, 4))),
    "m": lambda draw: (
        "".join(_LETTERS[draw.integers(len(_LETTERS))] for _ in range(2))
        + f"-{draw.integers(100, 9900)}"
    ),
}

Source = Literal["advisory", "product"]
"""What made sentences are like: the rest of an advisory, or product pages and release notes."""


def mined_sentences(descriptions: Iterable[str], most: int) -> list[str]:
    """Return distinct sentences of the descriptions that tell nothing, ``most`` at most."""
    found: dict[str, None] = {}
    for description in descriptions:
        for sentence in sentences(clean(description)):
            if 30 <= len(sentence) <= 300 and not _TELLING.search(sentence):
                found.setdefault(sentence)
        if len(found) >= most:
            break
    return list(found)[:most]


def made_sentences(count: int, seed: int, source: Source) -> Iterator[str]:
    """Yield sentences of the grammar in ``neutral_prose.yaml``, drawn at random."""
    grammar = _grammar()
    forms = grammar.forms[source]
    draw = np.random.default_rng(seed)

    def fill(slot: re.Match[str]) -> str:
        name = slot[1]
        if name in _NUMBERS:
            return _NUMBERS[name](draw)
        words = grammar.words[name.lower()]
        word = words[draw.integers(len(words))]
        return word[0].upper() + word[1:] if name[0].isupper() else word

    for _ in range(count):
        yield _SLOT.sub(fill, forms[draw.integers(len(forms))])


class _Grammar(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Words by slot, and forms of sentences by what they are like."""

    words: dict[str, tuple[str, ...]]
    forms: dict[Source, tuple[str, ...]]


def _grammar() -> _Grammar:
    text = resources.files(__package__).joinpath("neutral_prose.yaml").read_bytes()
    return msgspec.yaml.decode(text, type=_Grammar)
