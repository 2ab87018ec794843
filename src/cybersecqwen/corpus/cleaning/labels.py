"""Which labels are taught."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec

from cybersecqwen.core.records import LabelSource
from cybersecqwen.core.rows import CorpusRow
from cybersecqwen.core.taxonomy import Taxonomy
from cybersecqwen.corpus.records.recipe import LabelPolicy
from cybersecqwen.corpus.records.rows import LABELLERS


@dataclass(slots=True)
class LabelCounts:
    """What the policy met, as records per labeller and id (``nvd`` -> ``CWE-79`` -> count).

    Attributes:
        prohibited: Dropped: MITRE prohibits mapping to them (categories and views among them), or
            has deprecated them.
        unknown: Dropped: the catalogue has no such id.
        rare: Dropped: fewer records carry them than the recipe asks for.
        discouraged: Kept, though MITRE discourages mapping to them.
    """

    prohibited: dict[str, dict[str, int]] = field(default_factory=dict)
    unknown: dict[str, dict[str, int]] = field(default_factory=dict)
    rare: dict[str, dict[str, int]] = field(default_factory=dict)
    discouraged: dict[str, dict[str, int]] = field(default_factory=dict)


def apply_policy(
    rows: Sequence[CorpusRow], policy: LabelPolicy, taxonomy: Taxonomy
) -> tuple[list[CorpusRow], LabelCounts]:
    """Return every row with only the labels that may be taught, and what was met on the way.

    Each labeller keeps its own ids and order; a row may end up with none.
    """
    counts = LabelCounts()
    taught = [_relabel(row, taxonomy, counts) for row in rows]
    carriers = Counter(
        cwe for row in taught for cwe in {c for who in LABELLERS for c in row.ids(who)}
    )
    if policy.min_count > 1:
        taught = [_without_rare(row, carriers, policy.min_count, counts) for row in taught]
    for row in taught:
        for who in LABELLERS:
            for cwe in row.ids(who):
                entry = taxonomy.get(cwe)
                if entry and entry.usage == "discouraged":
                    _count(counts.discouraged, who, cwe)
    return taught, counts


def _relabel(row: CorpusRow, taxonomy: Taxonomy, counts: LabelCounts) -> CorpusRow:
    for who in LABELLERS:
        for cwe in row.ids(who):
            if not taxonomy.is_mappable(cwe):
                _count(counts.prohibited if cwe in taxonomy else counts.unknown, who, cwe)
    return _keep(row, taxonomy.is_mappable)


def _without_rare(
    row: CorpusRow, carriers: Counter[str], least: int, counts: LabelCounts
) -> CorpusRow:
    for who in LABELLERS:
        for cwe in row.ids(who):
            if carriers[cwe] < least:
                _count(counts.rare, who, cwe)
    return _keep(row, lambda cwe: carriers[cwe] >= least)


def _keep(row: CorpusRow, wanted: Callable[[str], bool]) -> CorpusRow:
    labels = {who: tuple(filter(wanted, row.ids(who))) for who in LABELLERS}
    return row if labels == row.labels else msgspec.structs.replace(row, labels=labels)


def _count(table: dict[str, dict[str, int]], who: LabelSource, cwe: str) -> None:
    counts = table.setdefault(who, {})
    counts[cwe] = counts.get(cwe, 0) + 1
