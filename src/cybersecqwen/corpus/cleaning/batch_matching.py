"""Batches of texts compared with sets of items: the slow part of a build, wherever it runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property, partial
from typing import Any, NoReturn

from cybersecqwen.core.engine import Engine, LocalEngine
from cybersecqwen.core.errors import ModelError
from cybersecqwen.corpus.cleaning.similarity import Pairs, SimilarityIndex, prepare
from cybersecqwen.corpus.records.recipe import NearDuplicate
from cybersecqwen.corpus.records.rows import Measure

ROWS_AT_ONCE = 4096
"""Texts of a batch."""

Matches = dict[Measure, Pairs]


class BatchMatcher:
    """Sets of items to be recognised again in batches of texts.

    An index of each set is made where the first batch is compared: in this process, or in each of
    an engine's workers.

    Args:
        sets: The items' texts; no set is empty.
        limits: From where on two texts count as alike.
    """

    def __init__(self, sets: Sequence[Sequence[str]], limits: NearDuplicate) -> None:
        self._sets = sets
        self._limits = limits

    def __reduce__(self) -> tuple[Any, ...]:
        return BatchMatcher, (self._sets, self._limits)

    @cached_property
    def _indexes(self) -> list[SimilarityIndex]:
        return [SimilarityIndex(texts, self._limits) for texts in self._sets]

    def match(
        self, batches: Iterable[list[str]], engine: Engine | None = None
    ) -> Iterator[list[Matches]]:
        """Yield each batch's matches with each set, in order.

        Args:
            batches: Some thousands of texts each; only so many are drawn ahead as keep the engine
                busy.
            engine: Where they are compared; None for this process.

        Raises:
            ModelError: A batch ends every worker that compares it.
        """
        single = ([batch] for batch in batches)
        for found in (engine or LocalEngine()).run(partial(_comparing, self), single, _lost):
            yield from found

    def compare(self, batches: list[list[str]]) -> list[list[Matches]]:
        """Return the matches of batches, here and now."""
        blocks = (prepare(texts, self._limits.ngram) for texts in batches)
        return [[index.match(block) for index in self._indexes] for block in blocks]


def _comparing(matcher: BatchMatcher) -> Any:
    return matcher.compare


def _lost(batch: list[str]) -> NoReturn:
    raise ModelError(
        f"comparing {len(batch):,} texts ended every worker that tried: more likely the workers "
        "lack memory than the texts are at fault"
    )
