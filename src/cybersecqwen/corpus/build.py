"""A recipe -> a corpus folder, whole or not at all, the same bytes every time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from cybersecqwen import __version__
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.files import sha256_file, write_json, write_text
from cybersecqwen.core.records import Advisory, RecordProblem
from cybersecqwen.core.taxonomy import shipped_taxonomy
from cybersecqwen.corpus import report as reporting
from cybersecqwen.corpus.check import check_corpus
from cybersecqwen.corpus.decontaminate import Overlap, decontaminate
from cybersecqwen.corpus.dedupe import conflicting, remove_duplicates, remove_known
from cybersecqwen.corpus.folder import atomic_folder
from cybersecqwen.corpus.guard import Crossings, find_crossings
from cybersecqwen.corpus.labels import LabelCounts, apply_policy
from cybersecqwen.corpus.merge import Merger
from cybersecqwen.corpus.recipe import CorpusRecipe
from cybersecqwen.corpus.report import CorpusReport, CrossingReport, DuplicateReport, SourceReport
from cybersecqwen.corpus.rows import PARTS, Filtered, Measure, Removal, Row, write_lines
from cybersecqwen.corpus.split import Parts, split_rows
from cybersecqwen.sources import read_advisories

MANIFEST = "manifest.json"
REMOVED = "removed.jsonl"

Observer = Callable[[str], None]
"""Called with a sentence as each stage begins."""


class Manifest(msgspec.Struct, frozen=True):
    """What a corpus was made of and what came out.

    Attributes:
        package: Version of cybersecqwen.
        taxonomy: Version of the CWE catalogue.
        recipe: The recipe, defaults filled in.
        inputs: SHA-256 of every file read, by its path in the data folder.
        outputs: SHA-256 of every other file of the corpus.
    """

    package: str
    taxonomy: str
    recipe: CorpusRecipe
    inputs: dict[str, str]
    outputs: dict[str, str]


@dataclass(slots=True)
class _Work:
    """A build under way."""

    rows: list[Row]
    removed: list[Removal]
    sources: list[SourceReport]
    merged: int = 0
    labels: LabelCounts = field(default_factory=LabelCounts)
    overlaps: list[Overlap] = field(default_factory=list)
    duplicates: dict[str, DuplicateReport] = field(default_factory=dict)
    crossings: Crossings = field(default_factory=lambda: Crossings([], []))


def build_corpus(
    recipe: CorpusRecipe, data: Path, out: Path, observe: Observer = lambda stage: None
) -> CorpusReport:
    """Build a corpus: merge, label policy, decontaminate, split, deduplicate, guard, prove.

    The folder appears at ``out`` at the very end; a build that is killed leaves at most a hidden
    folder beside it, which the next one removes. The same recipe and inputs give the same bytes.
    Memory grows with the records: about 1 GiB for 250,000 of them.

    Args:
        recipe: What to build.
        data: Folder that the recipe's paths are relative to.
        out: Folder to make; an earlier corpus there is replaced.
        observe: Told of each stage.

    Raises:
        InputError: A source or benchmark cannot be read, or ``out`` holds something else.
    """
    benchmarks = [data / path for path in recipe.benchmarks]
    inputs = _hash_inputs(recipe, data)
    with atomic_folder(out, MANIFEST) as part:
        work = _gather(recipe, data, observe)
        observe("applying the label policy")
        work.rows, work.labels = apply_policy(work.rows, recipe.labels, shipped_taxonomy())
        observe(f"comparing {len(work.rows):,} records with {len(benchmarks)} benchmarks")
        clean = decontaminate(work.rows, benchmarks, recipe.near_duplicate)
        work.overlaps = clean.overlaps
        work.rows = _take_out(work, clean.result)
        observe("splitting and removing duplicates")
        parts = _deduplicated(work, split_rows(work.rows, recipe.split))
        observe("comparing train with validation")
        parts = _guarded(work, parts, recipe)
        observe("writing, and checking what was written")
        for name in PARTS:
            write_lines(part / f"{name}.jsonl", getattr(parts, name))
        write_lines(part / REMOVED, work.removed)
        after = check_corpus(part, benchmarks, recipe.near_duplicate).overlaps
        report = _report(work, parts, recipe, after)
        write_json(part / reporting.REPORT, report)
        write_text(part / reporting.PAGE, reporting.render_markdown(report, recipe))
        _write_manifest(part, recipe, inputs)
    return report


def _hash_inputs(recipe: CorpusRecipe, data: Path) -> dict[str, str]:
    hashes = {}
    for path in (*(source.path for source in recipe.sources), *recipe.benchmarks):
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


def _gather(recipe: CorpusRecipe, data: Path, observe: Observer) -> _Work:
    merger = Merger()
    sources = []
    for source in recipe.sources:
        observe(f"reading {source.path}")
        records = read_advisories(data / source.path, source.format, labels_from=source.labels_from)
        counts = merger.add(_relative(records, data))
        sources.append(reporting.describe_source(source.path, counts))
    rows, removed = merger.finish()
    return _Work(rows, removed, sources, merged=len(rows))


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


def _take_out(work: _Work, result: Filtered) -> list[Row]:
    work.removed.extend(result.removed)
    return result.kept


def _deduplicated(work: _Work, parts: Parts) -> Parts:
    lists = {}
    for name in PARTS:
        before: list[Row] = getattr(parts, name)
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
    return Parts(**lists)


_REPEATS: frozenset[Measure] = frozenset({"text", "digits"})
"""Measures by which two texts say the same, not merely much the same."""


def _guarded(work: _Work, parts: Parts, recipe: CorpusRecipe) -> Parts:
    work.crossings = find_crossings(parts.train, parts.validation, recipe.near_duplicate)
    guard = recipe.split.guard
    removed = work.crossings.train if guard == "train" else work.crossings.validation
    if guard == "mark":
        removed = [r for r in removed if _REPEATS & {match.measure for match in r.matches}]
        near = {removal.id for removal in work.crossings.validation}
        marked = [msgspec.structs.replace(row, familiar=row.id in near) for row in parts.validation]
        parts = replace(parts, validation=marked)
    gone = {removal.id for removal in removed}
    work.removed.extend(removed)
    side = "train" if guard == "train" else "validation"
    kept = [row for row in getattr(parts, side) if row.id not in gone]
    return replace(parts, **{side: kept})


def _report(work: _Work, parts: Parts, recipe: CorpusRecipe, after: list[Overlap]) -> CorpusReport:
    crossings = CrossingReport(
        recipe.split.guard,
        len(work.crossings.train),
        len(work.crossings.validation),
        reporting.describe_removals(work.crossings.train),
        reporting.describe_removals(work.crossings.validation),
    )
    return CorpusReport(
        name=recipe.name,
        taxonomy=shipped_taxonomy().version,
        sources=work.sources,
        merged=work.merged,
        removed=dict(Counter(removal.stage for removal in work.removed)),
        dropped_labels=reporting.dropped_labels(work.labels),
        discouraged_labels=reporting.discouraged_labels(work.labels),
        duplicates=work.duplicates,
        crossings=crossings,
        overlap_before=work.overlaps,
        overlap_after=after,
        parts={name: reporting.describe_part(getattr(parts, name)) for name in PARTS},
    )


def _write_manifest(part: Path, recipe: CorpusRecipe, inputs: dict[str, str]) -> None:
    outputs = {file.name: sha256_file(file) for file in sorted(part.iterdir())}
    version = shipped_taxonomy().version
    write_json(part / MANIFEST, Manifest(__version__, version, recipe, inputs, outputs))
