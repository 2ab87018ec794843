"""The lines of a quiz's files, and what a question is before it is worded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from cybersecqwen.core.rows import QuizRow
from cybersecqwen.corpus.records.rows import Match

Reason = Literal[
    "no passage",
    "too few options",
    "length",
    "gives itself away",
    "unsupported",
    "duplicate",
    "benchmark",
]
"""Why a question was thrown away. ``no passage``: no passage holds what decides it.
``unsupported``: the passage holds too little of the right option's words. ``gives itself away``:
the question spells the right option out."""


class Discard(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line of ``removed.jsonl``. It quotes no benchmark.

    Attributes:
        id: The question's.
        kind: The question's.
        reason: Why it was thrown away.
        matches: What of the benchmarks it overlaps.
    """

    id: str
    kind: str
    reason: Reason
    matches: tuple[Match, ...] = ()


@dataclass(frozen=True, slots=True)
class DraftQuestion:
    """A question before it is worded.

    Attributes:
        kind: What is asked.
        page: Id of the page that decides.
        section: Kind of the passage that decides.
        needle: Cleaned text that only that passage of the page holds.
        slots: What the wording may speak of.
        right: The right option.
        near: Wrong options that are easily mistaken for it.
        far: Wrong options of the same sort from anywhere.
        free: Whether the options are sentences, to be reworded like the question.
        negated: Whether the question asks for the exception, so that the passage holds the wrong
            options and not the right one.
    """

    kind: str
    page: str
    section: str
    needle: str
    slots: Mapping[str, str]
    right: str
    near: tuple[str, ...]
    far: tuple[str, ...]
    free: bool = False
    negated: bool = False


@dataclass(slots=True)
class QuizTally:
    """What was made and thrown away.

    Attributes:
        drafted: Questions drafted, by kind.
        discards: Those thrown away.
    """

    drafted: Counter[str] = field(default_factory=Counter)
    discards: list[Discard] = field(default_factory=list)

    def by_reason(self) -> dict[str, dict[str, int]]:
        """Count what was thrown away by reason and kind, commonest first."""
        counts: dict[str, Counter[str]] = {}
        for discard in self.discards:
            counts.setdefault(discard.reason, Counter())[discard.kind] += 1
        return {reason: dict(kinds.most_common()) for reason, kinds in sorted(counts.items())}


def letters(rows: Iterable[QuizRow]) -> dict[int, dict[str, int]]:
    """Count right answers by letter, for each number of options."""
    counts: dict[int, Counter[str]] = {}
    for row in rows:
        counts.setdefault(len(row.choices), Counter())["ABCDEFGHIJ"[row.answer]] += 1
    return {size: dict(sorted(counter.items())) for size, counter in sorted(counts.items())}
