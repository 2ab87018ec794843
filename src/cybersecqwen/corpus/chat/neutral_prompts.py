"""Neutral prompts, whose answers by a base keep near it what is fine-tuned from it.

Repeating what was known before beside what is new (rehearsal: Robins, Connection Science 7(2),
1995) is the plainest way against forgetting; the answers are the base's own, so that nothing else
is learnt from them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from random import Random
from typing import Annotated

import msgspec
from msgspec import Meta

from cybersecqwen.core.config import Recipe, read_yaml

_SHIPPED = Path(__file__).with_name("neutral_prompts.yaml")
_PLACE = re.compile(r"\{(\w+)\}")
_FRUITLESS = 2_000
"""Draws in a row that bring nothing new after which there are no more prompts to be found."""


class _Kind(Recipe, frozen=True):
    """Forms of one kind, and how often the kind comes."""

    share: Annotated[float, Meta(gt=0)]
    forms: tuple[str, ...]


class _NeutralForms(Recipe, frozen=True):
    """Forms by kind; what may stand at each place; the first and last number of others."""

    places: Mapping[str, tuple[str, ...]]
    numbers: Mapping[str, tuple[int, int]]
    kinds: Mapping[str, _Kind]


def neutral_prompts(count: int, seed: int = 42) -> list[str]:
    """Return so many different prompts, fewer where the forms give no more, in a mixed order."""
    return list(islice(_drawn(Random(f"{seed} neutral")), count))


def _drawn(draw: Random) -> Iterator[str]:
    """Yield different prompts until none has been new for long."""
    known = msgspec.convert(read_yaml(_SHIPPED), _NeutralForms)
    kinds = list(known.kinds.values())
    shares = [kind.share for kind in kinds]
    seen: set[str] = set()
    fruitless = 0
    while fruitless < _FRUITLESS:
        (kind,) = draw.choices(kinds, shares)
        prompt = _filled(draw.choice(kind.forms), known, draw)
        fruitless += 1
        if prompt not in seen:
            seen.add(prompt)
            fruitless = 0
            yield prompt


def _filled(form: str, known: _NeutralForms, draw: Random) -> str:
    """Return a form with each of its places filled, the same one alike wherever it stands."""
    found = {}
    for name in dict.fromkeys(_PLACE.findall(form)):
        if name in known.numbers:
            found[name] = str(draw.randint(*known.numbers[name]))
        else:
            found[name] = draw.choice(known.places[name])
    return form.format(**found)
