"""A recipe -> a corpus folder, whole or not at all, the same bytes every time."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from cybersecqwen.core.atomic_folder import atomic_folder
from cybersecqwen.core.engine import Engine
from cybersecqwen.core.files import write_json, write_text
from cybersecqwen.core.interfaces import Backend
from cybersecqwen.core.jsonl import write_rows
from cybersecqwen.core.taxonomy import shipped_taxonomy
from cybersecqwen.corpus.cleaning.check import check_corpus
from cybersecqwen.corpus.cleaning.decontaminate import BenchmarkFilter, Overlap
from cybersecqwen.corpus.cleaning.kept import CleanedRecords
from cybersecqwen.corpus.cleaning.pipeline import (
    CleaningState,
    Observer,
    hash_inputs,
    prepare,
    with_files,
)
from cybersecqwen.corpus.cleaning.split import CorpusParts
from cybersecqwen.corpus.journal import Journal
from cybersecqwen.corpus.manifest import MANIFEST, write_manifest
from cybersecqwen.corpus.records import report as reporting
from cybersecqwen.corpus.records.recipe import CorpusRecipe
from cybersecqwen.corpus.records.report import CorpusReport, CrossingReport
from cybersecqwen.corpus.records.reworded import reworded_rows
from cybersecqwen.corpus.records.rows import PARTS, REWORDED

REMOVED = "removed.jsonl"
_SEED = 18


def build_records(
    recipe: CorpusRecipe,
    data: Path,
    out: Path,
    observe: Observer = lambda stage: None,
    *,
    engine: Engine | None = None,
    teacher: Backend | None = None,
) -> CorpusReport:
    """Build a corpus: merge, label policy, decontaminate, split, deduplicate, guard, prove.

    The folder appears at ``out`` at the very end; a build that is killed leaves at most a hidden
    folder beside it, which the next one removes, and the records that it cleaned, which the next
    one uses. The same recipe and inputs give the same bytes. Memory grows with the records: about
    1 GiB for 250,000 of them.

    Args:
        recipe: What to build.
        data: Folder that the recipe's paths are relative to.
        out: Folder to make; an earlier corpus there is replaced.
        observe: Told of each stage.
        engine: Where texts are compared; None for this process.
        teacher: Language model that tells descriptions in plain words, which are written beside
            them; what it has told when the build is killed is kept beside the folder.

    Raises:
        InputError: A source or benchmark cannot be read, or ``out`` holds something else.
        ModelError: The teacher cannot answer.
    """
    recipe = with_files(recipe, data)
    benchmarks = [data / path for path in recipe.benchmarks]
    inputs = hash_inputs(data, (*(s.path for s in recipe.sources), *recipe.benchmarks))
    journal = Journal(out.with_name(f".{out.name}.reworded.jsonl"))
    cleaned = CleanedRecords(out, recipe, inputs)
    with atomic_folder(out, MANIFEST) as part:
        work, parts = cleaned.once(lambda: prepare(recipe, data, observe, engine=engine), observe)
        if teacher is not None:
            observe(f"{teacher.name} tells descriptions in plain words")
            told = list(reworded_rows(parts.train, teacher, journal, _SEED))
            limits = BenchmarkFilter(benchmarks, recipe.near_duplicate, engine=engine)
            found = limits.find((REWORDED, row.id, row.text) for row in told)
            clean = [row for row, matches in zip(told, found, strict=True) if not matches]
            write_rows(part / f"{REWORDED}.jsonl", clean)
        observe("writing, and checking what was written")
        for name in PARTS:
            write_rows(part / f"{name}.jsonl", getattr(parts, name))
        write_rows(part / REMOVED, work.removed)
        after = check_corpus(part, benchmarks, recipe.near_duplicate, engine).overlaps
        report = _report(work, parts, recipe, after)
        page = reporting.render_markdown(report, recipe)
        write_json(part / reporting.REPORT, report)
        write_text(part / reporting.PAGE, page)
        write_manifest(part, recipe, inputs)
    journal.remove()
    cleaned.remove()
    return report


def _report(
    work: CleaningState, parts: CorpusParts, recipe: CorpusRecipe, after: list[Overlap]
) -> CorpusReport:
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
