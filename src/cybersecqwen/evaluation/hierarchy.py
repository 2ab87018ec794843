"""CWE answers judged by their place in the catalogue, beside the strict comparison.

Relations and ancestors are those of the research view (CWE-1000). The graded score is the
hierarchical F1 of Kiritchenko, Matwin, Nock and Famili (2006), as Silla and Freitas (2011)
recommend it: precision and recall over the answer and all its ancestors.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from typing import Literal

import msgspec

from cybersecqwen.core.taxonomy import Taxonomy

Relation = Literal["exact", "parent", "child", "shared ancestor", "unrelated", "unreadable"]
"""Of the answer to the expected id: ``parent`` means that the answer is the broader one."""

RELATIONS: tuple[Relation, ...] = (
    "exact",
    "parent",
    "child",
    "shared ancestor",
    "unrelated",
    "unreadable",
)


class Hierarchy(msgspec.Struct, frozen=True):
    """Answers by their relation to what was expected.

    Attributes:
        relations: Share of answers in each relation; they add up to 1. An ancestor further up
            than a parent, or a descendant further down than a child, counts as a shared ancestor.
        within_one: Share that is exact, the parent or a child.
        f1: Mean hierarchical F1, 0 to 1; an unreadable answer has 0.
        discouraged: Share of readable answers that MITRE discourages for mapping.
        prohibited: Share of readable answers that MITRE prohibits, that are deprecated, or that
            are no CWE id at all.
    """

    relations: dict[str, float]
    within_one: float
    f1: float
    discouraged: float
    prohibited: float


def relation(answer: str | None, gold: str, taxonomy: Taxonomy) -> Relation:
    """Return how an answer stands to the expected id in the research view."""
    if answer is None:
        return "unreadable"
    if answer == gold:
        return "exact"
    if answer in _parents(gold, taxonomy):
        return "parent"
    if gold in _parents(answer, taxonomy):
        return "child"
    lines = (_lineage(answer, taxonomy), _lineage(gold, taxonomy))
    return "shared ancestor" if lines[0] & lines[1] else "unrelated"


def hierarchical_f1(answer: str | None, gold: str, taxonomy: Taxonomy) -> float:
    """Return the F1 of the answer's and the expected id's lineages, 0 to 1."""
    if answer is None:
        return 0.0
    said, wanted = _lineage(answer, taxonomy), _lineage(gold, taxonomy)
    return 2 * len(said & wanted) / (len(said) + len(wanted))


def judge(pairs: Iterable[tuple[str | None, str]], taxonomy: Taxonomy) -> Hierarchy:
    """Judge answers and expected ids, at least one pair."""
    counts = Counter(pairs)
    total = sum(counts.values())
    relations: Counter[str] = Counter()
    usage: Counter[str] = Counter()
    f1 = 0.0
    for (answer, gold), count in counts.items():
        relations[relation(answer, gold, taxonomy)] += count
        f1 += count * hierarchical_f1(answer, gold, taxonomy)
        if answer is not None:
            usage[_usage(answer, taxonomy)] += count
    shares: dict[str, float] = {name: relations[name] / total for name in RELATIONS}
    readable = max(1, sum(usage.values()))
    return Hierarchy(
        relations=shares,
        within_one=shares["exact"] + shares["parent"] + shares["child"],
        f1=f1 / total,
        discouraged=usage["discouraged"] / readable,
        prohibited=usage["prohibited"] / readable,
    )


def _usage(cwe: str, taxonomy: Taxonomy) -> str:
    entry = taxonomy.get(cwe)
    return entry.usage if entry is not None and taxonomy.is_mappable(cwe) else "prohibited"


def _parents(cwe: str, taxonomy: Taxonomy) -> tuple[str, ...]:
    entry = taxonomy.get(cwe)
    return entry.parents if entry else ()


@lru_cache(maxsize=4096)
def _lineage(cwe: str, taxonomy: Taxonomy) -> frozenset[str]:
    return taxonomy.ancestors(cwe) | {cwe}
