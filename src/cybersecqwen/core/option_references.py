"""Options that speak of other options: ``all of the above``, ``none of these``, ``both A and C``.

Such an option says which of the others are true, so each option of the question stands for a set
of true ones: a plain option for itself alone, ``all of the above`` for all plain ones, ``none of
the above`` for no one. The set that is likeliest, given how likely each plain option is true, is
the answer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cybersecqwen.core.prompts import LETTERS

_LEAST_TRUE = 1e-4
"""Probability of truth below which, or above one minus which, no option is taken to be."""

_SOME = r"(?:the |these |those )?(?:(?:two|three|four|five|other|given|listed|following|above) )?"
_THESE = (
    r"(?:(?:(?:the|these|those) (?:above|listed|mentioned|given|named)|these|those) [a-z]{4,}|"
    rf"{_SOME}(?:above|these|those|them|listed|preceding|foregoing|others|options?|answers?|"
    r"choices?|statements?))"
)
_TRUE = r"(?:(?: (?:mentioned|listed|given|above))?(?: (?:is|are|apply|applies|hold)\b.*)?)"
_ALL = re.compile(
    rf"(?:all|both|any|each|every one)(?: of)? {_THESE}{_TRUE}|all (?:two|three|four|five)|both|"
    r"everything (?:above|listed)|(?:all|both) (?:are|apply|hold)\b.*",
    re.IGNORECASE,
)
_NONE = re.compile(
    rf"(?:none|neither|not any)(?: of)? {_THESE}{_TRUE}|neither|"
    r"(?:none|neither) (?:is|are|apply|applies|holds?)\b.*|"
    r"no (?:option|answer|choice|statement)s? (?:is|are|applies|apply)\b.*|"
    r"nothing (?:above|listed)",
    re.IGNORECASE,
)
_BUT = re.compile(r"(?:all|any)\b.*?\b(?:except|but|other than)\b(?: for)?(.*)", re.IGNORECASE)
_FRAME = re.compile(
    r"\b(?:both|only|either|neither|options?|answers?|choices?|statements?|together|alone|"
    r"(?:is|are) (?:true|correct|right)|correct|just)\b",
    re.IGNORECASE,
)
_MARK = re.compile(r"\(([A-Ja-j]|10|[1-9])\)|\b([A-Ja-j]|10|[1-9])\b(?![.\w-])\)?")
_JOINTS = re.compile(r"(?:\band\b|\bor\b|\bnor\b|[&,+/;])", re.IGNORECASE)
_LETTERED = re.compile(r"^\s*\(?[A-J][.):]\s+")
_OUTER = " \t.,:;!?\"'"


@dataclass(frozen=True, slots=True)
class OptionReferences:
    """Which options of a question are true if an option is the answer.

    Attributes:
        plain: Places of the options that speak for themselves, rising; two at least.
        sets: For every option, the places of the plain options that it says are true.
        named: For options that name others by letter or number, the places in the order of their
            marks.
    """

    plain: tuple[int, ...]
    sets: tuple[frozenset[int], ...]
    named: Mapping[int, tuple[int, ...]]

    @property
    def referring(self) -> tuple[int, ...]:
        """Places of the options that speak of others, rising."""
        return tuple(place for place in range(len(self.sets)) if place not in self.plain)

    def probabilities(
        self, true: Sequence[float] | None, best: Sequence[float]
    ) -> NDArray[np.float64]:
        """Return the probability (options,) of every option.

        Args:
            true: Of each plain option, in order, the probability that it is true, 0 to 1; None
                where nothing is known of that: every other option is then as likely as chance.
            best: Of each plain option, the probability that it is the answer if one of them
                alone is; together 1.
        """
        weights = np.full(len(self.sets), 1 / len(self.sets))
        if true is not None:
            held = np.clip(np.asarray(true, np.float64), _LEAST_TRUE, 1 - _LEAST_TRUE)
            said = np.array([[place in claimed for place in self.plain] for claimed in self.sets])
            likely = np.where(said, np.log(held), np.log1p(-held)).sum(axis=1)
            weights = np.exp(likely - likely.max())
        plain = list(self.plain)
        weights[plain] = weights[plain].sum() * np.asarray(best)
        shares: NDArray[np.float64] = weights / weights.sum()
        return shares


def option_references(choices: Sequence[str]) -> OptionReferences | None:
    """Read which options speak of others; None where none does.

    Letters and numbers count the options as they stand: A is the first. Where an option names
    itself or one that speaks of others, or two say the same, all are taken as plain.

    Args:
        choices: A question's options.
    """
    texts = [_LETTERED.sub("", choice).strip(_OUTER) for choice in choices]
    whole = {n for n, text in enumerate(texts) if _ALL.fullmatch(text) or _NONE.fullmatch(text)}
    marked = {n: marks for n, text in enumerate(texts) if (marks := _marks(text, len(texts)))}
    if any(n in marks for n, marks in marked.items()):
        return None  # of statements within the question, rather than of options
    joined = {
        n: parts
        for n, text in enumerate(texts)
        if n not in marked and (parts := _parts(text, texts))
    }
    plain = tuple(n for n in range(len(texts)) if n not in whole | marked.keys() | joined.keys())
    if len(plain) < 2 or len(plain) == len(texts):
        return None
    named = {**marked, **joined}
    if any(place not in plain for places in named.values() for place in places):
        return None
    sets = tuple(_claimed(n, texts[n], plain, named.get(n)) for n in range(len(texts)))
    if len(set(sets)) < len(sets):
        return None
    return OptionReferences(plain, sets, marked)


def relettered(choices: Sequence[str], order: Sequence[int]) -> list[str]:
    """Return options in another order, with the letters inside them as they stand there.

    Args:
        choices: The options as they were given.
        order: The places of ``choices``, in their new order.
    """
    found = option_references(choices)
    if found is None:
        return [choices[place] for place in order]
    new = {place: row for row, place in enumerate(order)}
    return [
        _with_marks(choices[place], sorted(new[p] for p in found.named[place]))
        if place in found.named
        else choices[place]
        for place in order
    ]


def _with_marks(text: str, places: Sequence[int]) -> str:
    head = _LETTERED.match(text)
    start = head.end() if head else 0
    marks = iter(places)

    def other(match: re.Match[str]) -> str:
        place = next(marks, None)
        old = match[1] or match[2]
        if place is None:
            return match[0]
        new = str(place + 1) if old.isdigit() else LETTERS[place]
        return match[0].replace(old, new if old.isdigit() or old.isupper() else new.lower())

    return text[:start] + _MARK.sub(other, text[start:])


def _claimed(
    place: int, text: str, plain: Sequence[int], named: Sequence[int] | None
) -> frozenset[int]:
    """Return the plain options that an option says are true."""
    if place in plain:
        return frozenset({place})
    if named is None:
        return frozenset(plain if _ALL.fullmatch(text) else ())
    if _BUT.match(text) or text.lower().startswith("neither"):
        return frozenset(plain) - frozenset(named)
    return frozenset(named)


def _marks(text: str, count: int) -> tuple[int, ...]:
    """Return the places that an option names by letters or numbers, and nothing else."""
    but = _BUT.fullmatch(text)
    listed = but[1] if but else text
    bare = _FRAME.sub(" ", listed)
    rest = _JOINTS.sub(" ", _MARK.sub(" ", bare))
    if rest.strip(_OUTER + "()"):
        return ()
    found = [m[1] or m[2] for m in _MARK.finditer(bare)]
    framed = but is not None or _FRAME.search(listed) is not None
    if not found or (len(found) < 2 and not framed):
        return ()
    # "1 and 2" may be numbers, "a" an article: such marks count where a word says what they are.
    if not framed and not all(mark.isupper() for mark in found) and "(" not in listed:
        return ()
    places = [int(m) - 1 if m.isdigit() else LETTERS.index(m.upper()) for m in found]
    return tuple(places) if max(places) < count and len(set(places)) == len(places) else ()


def _parts(text: str, texts: Sequence[str]) -> tuple[int, ...]:
    """Return the places of the options that an option names by their whole text."""
    known = {other.lower(): n for n, other in enumerate(texts) if other != text}
    bare = re.sub(r"^(?:both|neither) ", "", text, flags=re.IGNORECASE)
    parts = [part.strip(_OUTER).lower() for part in re.split(r",|\band\b|\bnor\b|&", bare)]
    parts = [part for part in parts if part]
    if len(parts) < 2 or any(part not in known for part in parts):
        return ()
    return tuple(known[part] for part in parts)
