"""A quiz from a recipe and catalogues: a folder, whole or not at all, the same bytes every time."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from cybersecqwen.core.atomic_folder import atomic_folder
from cybersecqwen.core.files import sha256_file, write_json, write_text
from cybersecqwen.core.interfaces import Backend
from cybersecqwen.core.jsonl import write_rows
from cybersecqwen.core.rows import QuizRow
from cybersecqwen.corpus.catalogue_graph import CatalogueGraph, CatalogueLibrary
from cybersecqwen.corpus.cleaning.decontaminate import BenchmarkFilter, Overlap
from cybersecqwen.corpus.journal import Journal
from cybersecqwen.corpus.manifest import MANIFEST, write_manifest
from cybersecqwen.corpus.quiz.generate import ask
from cybersecqwen.corpus.quiz.recipe import QuizRecipe
from cybersecqwen.corpus.quiz.report import QuizReport, describe, render
from cybersecqwen.corpus.quiz.rows import Discard, QuizTally
from cybersecqwen.corpus.quiz.written import written_questions
from cybersecqwen.corpus.records.rows import Match

PARTS = ("train", "validation")

Observer = Callable[[str], None]
"""Called with a sentence as each stage begins."""


def build_quiz(
    recipe: QuizRecipe,
    library: CatalogueLibrary,
    data: Path,
    out: Path,
    observe: Observer = lambda stage: None,
    teacher: Backend | None = None,
) -> QuizReport:
    """Make the questions, take out what overlaps a benchmark, split by page, write, prove.

    Args:
        recipe: What to make.
        library: The catalogues of ``recipe.sources``.
        data: Folder that the recipe's paths are relative to.
        out: Folder to make; an earlier quiz there is replaced.
        observe: Told of each stage.
        teacher: Language model that writes more questions from passages; what it has written when
            the build is killed is kept beside the folder.

    Raises:
        InputError: A benchmark cannot be read, ``out`` holds something else, or the teacher gives
            no probabilities.
        ModelError: The teacher cannot answer.
    """
    benchmarks = [data / path for path in recipe.benchmarks]
    inputs = {path: sha256_file(data / path) for path in (*recipe.sources, *recipe.benchmarks)}
    with atomic_folder(out, MANIFEST) as part:
        tally = QuizTally()
        graph = CatalogueGraph(library.entries, library.passages)
        observe(f"asking about {len(graph.entries):,} pages")
        rows = ask(graph, library, recipe, tally)
        journal = Journal(out.with_name(f".{out.name}.written.jsonl"))
        if teacher is not None:
            observe(f"{teacher.name} writes up to {recipe.written:,} questions")
            rows += written_questions(graph, library, recipe, teacher, journal)
        observe(f"comparing {len(rows):,} questions with {len(benchmarks)} benchmarks")
        rows, before = _decontaminated(rows, benchmarks, recipe, tally)
        parts = split(rows, graph, recipe)
        for name, lines in parts.items():
            write_rows(part / f"{name}.jsonl", lines)
        write_rows(part / "removed.jsonl", tally.discards)
        observe("comparing what was kept with the benchmarks once more")
        _, after = _decontaminated(rows, benchmarks, recipe, QuizTally())
        report = describe(recipe.name, parts, tally, before, after)
        write_json(part / "report.json", report)
        write_text(part / "report.md", render(report))
        write_manifest(part, recipe, inputs)
    journal.remove()
    return report


def split(
    rows: Sequence[QuizRow], graph: CatalogueGraph, recipe: QuizRecipe
) -> dict[str, list[QuizRow]]:
    """Deal questions out by a hash of their page, which never changes: whole pages are held out."""
    parts: dict[str, list[QuizRow]] = {name: [] for name in PARTS}
    for row in rows:
        digest = hashlib.sha256(graph.root(row.page).encode()).digest()
        held = int.from_bytes(digest[:8], "big") % recipe.validation_every == 0
        parts["validation" if held else "train"].append(row)
    return parts


def _decontaminated(
    rows: Sequence[QuizRow], benchmarks: Sequence[Path], recipe: QuizRecipe, tally: QuizTally
) -> tuple[list[QuizRow], list[Overlap]]:
    """Take out questions that are a benchmark's, by themselves or together with their answer."""
    if not benchmarks:
        return list(rows), []
    check = BenchmarkFilter(benchmarks, recipe.near_duplicate, answered=True)
    texts = (
        (row.id, "", text) for row in rows for text in (row.question, f"{row.question} {row.right}")
    )
    found = iter(check.find(texts))
    kept = []
    for row in rows:
        matches: tuple[Match, ...] = tuple(dict.fromkeys([*next(found), *next(found)]))
        if matches:
            tally.discards.append(Discard(row.id, row.kind, "benchmark", matches))
        else:
            kept.append(row)
    return kept, check.overlaps
