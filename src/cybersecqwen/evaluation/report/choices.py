"""Multiple choice summed up: by the questions' sources, and whether one letter is always said."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
import numpy as np

from cybersecqwen.evaluation.scoring import Scored
from cybersecqwen.evaluation.statistics import Interval, share_interval, shared_pages

_NEARLY_ALL = 0.8  # share of the answers that are one letter
_FEWEST_ANSWERS = 20  # that such a share can be told from


class SourceScore(msgspec.Struct, frozen=True):
    """The questions made from one source's pages."""

    n: int
    accuracy: float
    ci95: Interval


class OneLetter(msgspec.Struct, frozen=True):
    """A letter that a system answers nearly always, whatever is asked.

    Attributes:
        letter: The letter.
        count: How often it was answered, over all trials.
        answers: Answers that could be read.
        share: ``count`` of ``answers``.
        expected: Share of the questions whose answer it is.
    """

    letter: str
    count: int
    answers: int
    share: float
    expected: float


_SOURCES = {"attack.mitre.org": "ATT&CK", "cwe.mitre.org": "CWE", "capec.mitre.org": "CAPEC"}


def _source(page: str) -> str:
    return next((name for site, name in _SOURCES.items() if site in page), "other")


def _one_letter(scored: Scored) -> OneLetter | None:
    """Return the letter that nearly all answers are, where the questions do not ask for it."""
    said = Counter(reading for reading in scored.readings if reading is not None)
    answers = said.total()
    if answers < _FEWEST_ANSWERS:
        return None
    letter, count = said.most_common(1)[0]
    expected = float(np.mean([row.gold == letter for row in scored.rows]))
    share = count / answers
    found = OneLetter(letter, count, answers, share, expected)
    return found if share >= _NEARLY_ALL and expected < _NEARLY_ALL / 2 else None


def choice_fields(scored: Scored) -> dict[str, Any]:
    """Return what a summary says of multiple choice besides how much is right."""
    return {"one_letter": _one_letter(scored)} | _by_source(scored)


def _by_source(scored: Scored) -> dict[str, Any]:
    pages = [row.source for row in scored.items()]
    if not any(pages):
        return {}
    right = scored.matrix().mean(axis=1)
    found: dict[str, SourceScore] = {}
    for name in (*_SOURCES.values(), "other"):
        places = [place for place, page in enumerate(pages) if _source(page) == name]
        if places:
            own = shared_pages([pages[place] for place in places])
            interval = share_interval(right[places], own)
            found[name] = SourceScore(len(places), float(right[places].mean()), interval)
    return {"by_source": found}
