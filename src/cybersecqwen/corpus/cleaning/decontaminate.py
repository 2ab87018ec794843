"""Takes out whatever overlaps a benchmark, and says what, with which item and how much."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import msgspec

from cybersecqwen.core.engine import Engine
from cybersecqwen.core.rows import CorpusRow
from cybersecqwen.corpus.chat.rows import ids_asked_about
from cybersecqwen.corpus.cleaning.batch_matching import ROWS_AT_ONCE, BatchMatcher
from cybersecqwen.corpus.cleaning.benchmarks import Benchmark, read_benchmark
from cybersecqwen.corpus.cleaning.similarity import Pairs
from cybersecqwen.corpus.records.recipe import NearDuplicate
from cybersecqwen.corpus.records.rows import Filtered, Match, Measure, Removal

MEASURES: tuple[Measure, ...] = ("id", "text", "excerpt", "digits", "ngram", "cosine", "words")

_EXAMPLES = 5


class Overlap(msgspec.Struct, frozen=True):
    """How much of one benchmark one measure finds again among the rows.

    Attributes:
        benchmark: File name.
        measure: Name of the similarity measure.
        size: Items of the benchmark.
        items: Those that some row overlaps.
        rows: Rows that overlap some item.
        examples: The first few rows' ids (or lines), each with its match.
    """

    benchmark: str
    measure: Measure
    size: int
    items: int = 0
    rows: int = 0
    examples: tuple[tuple[str, Match], ...] = ()


@dataclass(slots=True)
class _Tally:
    items: set[int] = field(default_factory=set)
    rows: int = 0
    examples: list[tuple[str, Match]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Decontaminated:
    """What is left, what was taken out, and the overlap there was."""

    result: Filtered
    overlaps: list[Overlap]


class BenchmarkFilter:
    """Recognises benchmark items in a stream of texts.

    Memory grows with the benchmarks, not with the stream.

    Args:
        paths: Benchmark files.
        limits: From where on two texts count as alike.
        answered: Whether a multiple-choice item is also known by its question and right option
            together.
        engine: Where texts are compared; None for this process.

    Raises:
        InputError: A benchmark cannot be read.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        limits: NearDuplicate,
        *,
        answered: bool = False,
        engine: Engine | None = None,
    ) -> None:
        self._engine = engine
        self._benchmarks = [read_benchmark(path, answered=answered) for path in paths]
        self._matcher = BatchMatcher([b.texts for b in self._benchmarks], limits)
        self._by_cve = [_places_by_cve(b) for b in self._benchmarks]
        self._tallies = {
            (place, measure): _Tally()
            for place in range(len(self._benchmarks))
            for measure in MEASURES
        }

    @property
    def overlaps(self) -> list[Overlap]:
        """What has been found so far, by benchmark and measure."""
        return [
            Overlap(
                benchmark.name,
                measure,
                len(benchmark.texts),
                len(tally.items),
                tally.rows,
                tuple(tally.examples),
            )
            for (place, measure), tally in self._tallies.items()
            for benchmark in [self._benchmarks[place]]
        ]

    def find(self, rows: Iterable[tuple[str, str, str]]) -> Iterator[tuple[Match, ...]]:
        """Yield each row's matches, in order: per benchmark and measure the best, if any.

        Args:
            rows: Name for examples, CVE id (or an empty string) and text of each row. A text that
                asks about an id without describing it (``Which CWE is CVE-2024-1234?``) has that
                id too.
        """
        stream = iter(rows)
        compared: deque[list[tuple[str, str, str]]] = deque()

        def batches() -> Iterator[list[str]]:
            while batch := list(islice(stream, ROWS_AT_ONCE)):
                compared.append(batch)
                yield [text for _, _, text in batch]

        for matches in self._matcher.match(batches(), self._engine):
            batch = compared.popleft()
            found: list[list[Match]] = [[] for _ in batch]
            for place, pairs in enumerate(matches):
                pairs["id"] = self._same_id(place, batch)
                for measure in MEASURES:
                    for row, match in self._matches(place, measure, pairs[measure]):
                        found[row].append(match)
                        examples = self._tallies[place, measure].examples
                        if len(examples) < _EXAMPLES:
                            examples.append((batch[row][0], match))
            yield from map(tuple, found)

    def _matches(self, place: int, measure: Measure, pairs: Pairs) -> Iterator[tuple[int, Match]]:
        benchmark, tally = self._benchmarks[place], self._tallies[place, measure]
        best = pairs.best_by_text()
        tally.items.update(pairs.items.tolist())
        tally.rows += len(best)
        for row, (item, score) in best.items():
            yield row, Match(measure, benchmark.name, benchmark.ids[item], score)

    def _same_id(self, place: int, rows: Sequence[tuple[str, str, str]]) -> Pairs:
        items = self._by_cve[place]
        hits = [
            (row, item)
            for row, (_, cve, text) in enumerate(rows)
            for named in dict.fromkeys((cve, *ids_asked_about(text)))
            for item in items.get(named, ())
        ]
        return Pairs.of(hits)


def decontaminate(
    rows: Sequence[CorpusRow],
    paths: Sequence[Path],
    limits: NearDuplicate,
    engine: Engine | None = None,
) -> Decontaminated:
    """Take out rows that share a CVE id with a benchmark's item, its text, or most of it.

    Args:
        rows: Rows to filter.
        paths: Benchmark files.
        limits: From where on two texts count as alike.
        engine: Where texts are compared; None for this process.

    Raises:
        InputError: A benchmark cannot be read.
    """
    check = BenchmarkFilter(paths, limits, engine=engine)
    kept, removed = [], []
    matches = check.find((row.id, row.id, row.text) for row in rows)
    for row, found in zip(rows, matches, strict=True):
        if found:
            removed.append(Removal(row.id, "benchmark", found))
        else:
            kept.append(row)
    return Decontaminated(Filtered(kept, removed), check.overlaps)


def _places_by_cve(benchmark: Benchmark) -> dict[str, list[int]]:
    places: dict[str, list[int]] = {}
    for place, cves in enumerate(benchmark.cves):
        for cve in cves:
            places.setdefault(cve, []).append(place)
    return places
