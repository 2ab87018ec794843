"""Keeps what is in training out of validation, or the other way round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cybersecqwen.core.engine import Engine
from cybersecqwen.core.rows import CorpusRow
from cybersecqwen.corpus.cleaning.batch_matching import ROWS_AT_ONCE, BatchMatcher
from cybersecqwen.corpus.records.recipe import NearDuplicate
from cybersecqwen.corpus.records.rows import Match, Measure, Removal


@dataclass(frozen=True, slots=True)
class SplitLeakage:
    """Rows of either part that have a duplicate or near-duplicate in the other.

    Attributes:
        train: What to take out of train for validation to be new to it.
        validation: What to take out of validation for the same.
    """

    train: list[Removal]
    validation: list[Removal]


def find_crossings(
    train: Sequence[CorpusRow],
    validation: Sequence[CorpusRow],
    limits: NearDuplicate,
    engine: Engine | None = None,
) -> SplitLeakage:
    """Compare every training row with every validation row by the measures for benchmarks.

    The validation rows take the benchmark items' place. Each removal names the best match by each
    measure.

    Args:
        train: Rows of the one part.
        validation: Rows of the other.
        limits: From where on two texts count as alike.
        engine: Where texts are compared; None for this process.
    """
    if not validation:
        return SplitLeakage([], [])
    matcher = BatchMatcher([[row.text for row in validation]], limits)
    of_train: dict[int, list[Match]] = {}
    # Per validation row and measure: the best training row's place and the score.
    of_validation: dict[tuple[int, Measure], tuple[int, float]] = {}
    starts = range(0, len(train), ROWS_AT_ONCE)
    batches = ([row.text for row in train[start : start + ROWS_AT_ONCE]] for start in starts)
    for start, (found,) in zip(starts, matcher.match(batches, engine), strict=True):
        for measure, pairs in found.items():
            for text, (item, score) in pairs.best_by_text().items():
                match = Match(measure, "validation", validation[item].id, score)
                of_train.setdefault(start + text, []).append(match)
            for item, (text, score) in pairs.turned().best_by_text().items():
                if score > of_validation.get((item, measure), (0, 0.0))[1]:
                    of_validation[item, measure] = (start + text, score)
    return SplitLeakage(
        [_removal(train[place], of_train[place]) for place in sorted(of_train)],
        _validation_removals(train, validation, of_validation),
    )


def _validation_removals(
    train: Sequence[CorpusRow],
    validation: Sequence[CorpusRow],
    found: dict[tuple[int, Measure], tuple[int, float]],
) -> list[Removal]:
    matches: dict[int, list[Match]] = {}
    for (item, measure), (row, score) in sorted(found.items()):
        matches.setdefault(item, []).append(Match(measure, "train", train[row].id, score))
    return [_removal(validation[place], matches[place]) for place in sorted(matches)]


def _removal(row: CorpusRow, matches: Sequence[Match]) -> Removal:
    return Removal(row.id, "guard", tuple(sorted(matches)))
