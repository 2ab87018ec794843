"""Records in, clean parts out: what every kind of corpus begins with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import msgspec

from cybersecqwen.core.engine import Engine
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.files import sha256_file
from cybersecqwen.core.records import Advisory, RecordProblem
from cybersecqwen.core.rows import CorpusRow
from cybersecqwen.core.taxonomy import shipped_taxonomy
from cybersecqwen.corpus.cleaning.decontaminate import Overlap, decontaminate
from cybersecqwen.corpus.cleaning.dedupe import conflicting, remove_duplicates, remove_known
from cybersecqwen.corpus.cleaning.labels import LabelCounts, apply_policy
from cybersecqwen.corpus.cleaning.leakage import SplitLeakage, find_crossings
from cybersecqwen.corpus.cleaning.merge import Merger
from cybersecqwen.corpus.cleaning.split import CorpusParts, split_rows
from cybersecqwen.corpus.records import report as reporting
from cybersecqwen.corpus.records.recipe import RecordSource, RecordsRecipe
from cybersecqwen.corpus.records.report import DuplicateReport, SourceReport
from cybersecqwen.corpus.records.rows import PARTS, Filtered, Measure, Removal
from cybersecqwen.sources import read_advisories

RecordsRecipeT = TypeVar("RecordsRecipeT", bound=RecordsRecipe)

Observer = Callable[[str], None]
"""Called with a sentence as each stage begins."""


@dataclass(slots=True)
class CleaningState:
    """A build under way.

    Attributes:
        rows: What is left of the records; none any more once they are split.
        removed: What was taken out, and why.
        sources: What each source brought.
        merged: Distinct ids with a description.
        labels: What the label policy met.
        overlaps: With the benchmarks, before they were taken out.
        duplicates: Number of duplicates by part.
        crossings: Across the split.
    """

    rows: list[CorpusRow]
    removed: list[Removal]
    sources: list[SourceReport]
    merged: int = 0
    labels: LabelCounts = field(default_factory=LabelCounts)
    overlaps: list[Overlap] = field(default_factory=list)
    duplicates: dict[str, DuplicateReport] = field(default_factory=dict)
    crossings: SplitLeakage = field(default_factory=lambda: SplitLeakage([], []))


def prepare(
    recipe: RecordsRecipe,
    data: Path,
    observe: Observer,
    *,
    engine: Engine | None = None,
) -> tuple[CleaningState, CorpusParts]:
    """Merge, apply the label policy, decontaminate, split, deduplicate and guard.

    Args:
        recipe: The corpus's recipe.
        data: Folder that the recipe's paths are relative to.
        observe: Told of each stage.
        engine: Where texts are compared; None for this process.

    Raises:
        InputError: A source or benchmark cannot be read.
    """
    benchmarks = [data / path for path in recipe.benchmarks]
    work = _gather(recipe, data, observe)
    observe("applying the label policy")
    work.rows, work.labels = apply_policy(work.rows, recipe.labels, shipped_taxonomy())
    observe(f"comparing {len(work.rows):,} records with {len(benchmarks)} benchmarks")
    clean = decontaminate(work.rows, benchmarks, recipe.near_duplicate, engine)
    work.overlaps = clean.overlaps
    work.rows = _take_out(work, clean.result)
    observe("splitting and removing duplicates")
    parts = _deduplicated(work, split_rows(work.rows, recipe.split))
    work.rows = []
    observe("comparing train with validation")
    return work, _guarded(work, parts, recipe, engine)


def with_files(recipe: RecordsRecipeT, data: Path) -> RecordsRecipeT:
    """Return a recipe whose sources are files and folders, each pattern replaced by its matches.

    Raises:
        InputError: A pattern matches nothing.
    """
    sources: list[RecordSource] = []
    for source in recipe.sources:
        if "*" not in source.path:
            sources.append(source)
            continue
        found = sorted(path.relative_to(data).as_posix() for path in data.glob(source.path))
        if not found:
            raise InputError(f"{data / source.path}: no such file; run `cybersecqwen data fetch`")
        sources += [msgspec.structs.replace(source, path=path) for path in found]
    return msgspec.structs.replace(recipe, sources=tuple(sources))


def hash_inputs(data: Path, paths: Iterable[str]) -> dict[str, str]:
    """Return the SHA-256 of every file that is read, by its path in the data folder.

    Raises:
        InputError: One cannot be read.
    """
    hashes = {}
    for path in paths:
        root = data / path
        files = sorted(root.rglob("*")) if root.is_dir() else [root]
        for file in files:
            if file.is_dir():
                continue
            try:
                hashes[file.relative_to(data).as_posix()] = sha256_file(file)
            except OSError as error:
                raise InputError(f"{file}: cannot be read: {error}") from error
    return hashes


def _gather(recipe: RecordsRecipe, data: Path, observe: Observer) -> CleaningState:
    merger = Merger()
    sources = []
    for source in recipe.sources:
        observe(f"reading {source.path}")
        records = read_advisories(data / source.path, source.format, labels_from=source.labels_from)
        placed = _relative(records, data)
        counts = merger.add(placed)
        sources.append(reporting.describe_source(source.path, counts))
    rows, removed = merger.finish()
    return CleaningState(rows, removed, sources, merged=len(rows))


def _relative(
    records: Iterator[Advisory | RecordProblem], data: Path
) -> Iterator[Advisory | RecordProblem]:
    """Name problems by their place in the data folder, the same wherever that folder is."""
    prefix = f"{data}/"
    for record in records:
        if isinstance(record, RecordProblem):
            yield replace(record, where=record.where.removeprefix(prefix))
        else:
            yield record


def _take_out(work: CleaningState, result: Filtered) -> list[CorpusRow]:
    work.removed.extend(result.removed)
    return result.kept


def _deduplicated(work: CleaningState, parts: CorpusParts) -> CorpusParts:
    lists = {}
    for name in PARTS:
        before: list[CorpusRow] = getattr(parts, name)
        result = remove_duplicates(before, name)
        other = conflicting(before, result.removed)
        removed = list(result.removed)
        lists[name] = _take_out(work, result)
        if name == "unlabelled":
            # A text that train or validation holds is nothing new, or is not to be seen.
            for holder in ("train", "validation"):
                known = remove_known(lists[name], lists[holder], holder)
                removed += known.removed
                lists[name] = _take_out(work, known)
        counts = reporting.describe_removals(removed)
        work.duplicates[name] = DuplicateReport(counts, other)
    return CorpusParts(**lists)


_REPEATS: frozenset[Measure] = frozenset({"text", "digits"})
"""Measures by which two texts say the same, not merely much the same."""


def _guarded(
    work: CleaningState, parts: CorpusParts, recipe: RecordsRecipe, engine: Engine | None
) -> CorpusParts:
    limits = recipe.near_duplicate
    work.crossings = find_crossings(parts.train, parts.validation, limits, engine)
    guard = recipe.split.guard
    removed = work.crossings.train if guard == "train" else work.crossings.validation
    if guard == "mark":
        removed = [r for r in removed if _REPEATS & {match.measure for match in r.matches}]
        near = {removal.id for removal in work.crossings.validation}
        marked = [
            msgspec.structs.replace(row, near_train_duplicate=row.id in near)
            for row in parts.validation
        ]
        parts = replace(parts, validation=marked)
    gone = {removal.id for removal in removed}
    work.removed.extend(removed)
    side = "train" if guard == "train" else "validation"
    kept = [row for row in getattr(parts, side) if row.id not in gone]
    return replace(parts, **{side: kept})
