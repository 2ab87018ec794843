"""From corpus and recipe to a model folder, in stages that each resume."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer
from transformers import set_seed

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.files import sha256_file, write_json
from cybersecqwen.core.rows import CorpusRow, read_corpus_rows
from cybersecqwen.core.taxonomy import shipped_taxonomy
from cybersecqwen.core.text.record import render_record
from cybersecqwen.training.recipes.specialist import SpecialistRecipe, SpecialistTeacher, Years
from cybersecqwen.training.specialist.base_encoder import adapted_base
from cybersecqwen.training.specialist.encoder import CweEncoder, LastTokenEncoder
from cybersecqwen.training.specialist.reading_encoder import ReadingEncoder
from cybersecqwen.training.specialist.reworded import halves, join, select, still_told, told_by
from cybersecqwen.training.specialist.rows import age_weights, choose_labels, label_numbers
from cybersecqwen.training.specialist.settling_names import (
    SettledRows,
    catalogue_names,
    settle,
    settled_rows,
)
from cybersecqwen.training.specialist.supervision import (
    SoftLabels,
    average,
    choose_rows,
    to_device,
)
from cybersecqwen.training.specialist.teachers import Report, kept_answers, taught_by
from cybersecqwen.training.specialist.weakness import (
    ViewedRows,
    added_words,
    label_prior,
    learn_views,
    neutral_sentences,
    parts_of_row,
    soften_records,
    tokenize_rows,
    years_of,
)

SETTLED_NAMES = "settled-names.json"
"""File of a work folder: the names that recent rows settle."""


@dataclass(frozen=True)
class Corpus:
    """What a specialist learns from.

    Attributes:
        taught: Rows with a label, oldest first as the corpus has them.
        untaught: Rows without, for pretraining and for teachers to label.
        validation: Rows that nothing is learnt from.
        labels: The C ids to tell apart.
        hashes: SHA-256 of each corpus file.
        reworded: Labelled rows told in plain words, for the student alone.
    """

    taught: list[CorpusRow]
    untaught: list[CorpusRow]
    validation: list[CorpusRow]
    labels: list[str]
    hashes: dict[str, str]
    reworded: list[CorpusRow] = field(default_factory=list)


def read_corpus(folder: Path, recipe: SpecialistRecipe) -> Corpus:
    """Read ``train.jsonl``, ``unlabelled.jsonl`` and ``validation.jsonl`` of a built corpus.

    And ``reworded.jsonl``, where a language model told descriptions in plain words.

    Raises:
        InputError: A file is missing or damaged, or no id has enough rows.
    """
    names = ("train.jsonl", "unlabelled.jsonl", "validation.jsonl")
    taught, untaught, validation = (
        [row for _, row in read_corpus_rows(folder / name)] for name in names
    )
    labels = choose_labels(taught, recipe.labellers, recipe.min_count)
    if len(labels) < 2 or not validation:
        raise InputError(
            f"{folder}: {len(labels)} ids have {recipe.min_count} rows or more and validation has "
            f"{len(validation)} rows: too little to train on"
        )
    told = folder / "reworded.jsonl"
    reworded = [row for _, row in read_corpus_rows(told)] if told.exists() else []
    hashes = {
        name: sha256_file(folder / name) for name in (*names, told.name)[: 4 if reworded else 3]
    }
    return Corpus(taught, untaught, validation, labels, hashes, reworded)


def fit_specialist(
    recipe: SpecialistRecipe, corpus: Corpus, folder: Path, report: Report
) -> CweEncoder:
    """Run every stage up to the fitted encoder, resuming what ``folder`` already holds.

    The tokenizer it reads is left in ``folder / student / tokenizer.json``.
    """
    rows = corpus.taught + corpus.untaught
    neutral = neutral_sentences(rows, recipe.seed)

    def teach(teacher: SpecialistTeacher, place: Path) -> Callable[[], dict[str, NDArray[Any]]]:
        return _teach(teacher, recipe, corpus, rows, place)

    made = [SoftLabels(**said) for said in taught_by(recipe.teachers, folder, report, teach)]
    start = time.monotonic()
    lessons = _lessons(made, recipe, corpus, rows, folder)
    model = _learn(
        SpecialistTeacher(
            base=recipe.base,
            fit=recipe.fit,
            seed=recipe.seed,
            supervision=recipe.supervision,
            pretrain=recipe.pretrain,
            views=recipe.views,
        ),
        recipe,
        corpus,
        lessons.rows,
        folder / "student",
        layers=recipe.layers,
        reading=recipe.reading,
        intermediate=recipe.intermediate,
        min_piece_count=recipe.min_piece_count,
        neutral=neutral,
        soft=lessons.soft,
        assumed=lessons.assumed,
    )
    report("student", (time.monotonic() - start) / 60)
    return model


def teachers_answers(recipe: SpecialistRecipe, folder: Path, labels: int) -> SoftLabels:
    """Return what the teachers of a finished fit in ``folder`` say on average, over C ids.

    Raises:
        InputError: The recipe has no teachers.
    """
    if not recipe.teachers:
        raise InputError("refit: 'taught' is a share for teachers, and the recipe has none")
    made = [SoftLabels(**kept_answers(folder, n)) for n in range(len(recipe.teachers))]
    return average(made, labels, [teacher.weight for teacher in recipe.teachers])


@dataclass(frozen=True)
class _Lessons:
    """Rows that a student learns, and their soft labels: as they stand, as of the assumed year."""

    rows: list[CorpusRow]
    soft: SoftLabels | None
    assumed: SoftLabels | None


def _lessons(
    made: list[SoftLabels],
    recipe: SpecialistRecipe,
    corpus: Corpus,
    rows: list[CorpusRow],
    folder: Path,
) -> _Lessons:
    """Return what the student learns: all rows, and rewordings that still tell of their labels."""
    ids = len(corpus.labels)
    soft, assumed = _taught([select(one, slice(len(rows))) for one in made], recipe, rows, ids)
    if assumed is not None and recipe.years is not None and recipe.years.names:
        settled = _settled(recipe.years, recipe, corpus, rows)
        write_json(folder / SETTLED_NAMES, settled.names)
        assumed = settle(assumed, settled, recipe.years.names)
    if soft is None or not corpus.reworded:
        return _Lessons(rows, soft, assumed)
    said = select(made[0], slice(len(rows), None))
    owners = told_by(rows, corpus.reworded)
    numbers = label_numbers(corpus.reworded, corpus.labels, recipe.labellers)
    kept = np.flatnonzero(still_told(numbers, said) & (owners >= 0))
    said, owners = select(said, kept), owners[kept]
    return _Lessons(
        rows + [corpus.reworded[place] for place in kept],
        join(soft, halves(said, soft, owners, ids)),
        assumed and join(assumed, halves(said, assumed, owners, ids)),
    )


def _taught(
    made: list[SoftLabels], recipe: SpecialistRecipe, rows: list[CorpusRow], labels: int
) -> tuple[SoftLabels | None, SoftLabels | None]:
    """Return what teachers make of each row as it stands, and as of the assumed year.

    Of a row of long before, teachers that tell years apart know the second, the others the first;
    of a recent row both are the same.
    """
    if not made:
        return None, None
    weights = [teacher.weight for teacher in recipe.teachers]
    every = average(made, labels, weights)
    sides = [
        [n for n, teacher in enumerate(recipe.teachers) if teacher.dated is dated]
        for dated in (False, True)
    ]
    if recipe.years is None or not all(sides):
        return every, None
    years = recipe.years
    recent = years_of(rows, years).recent
    plain, dated = (
        average([made[n] for n in side], labels, [weights[n] for n in side]) for side in sides
    )
    return choose_rows(every, plain, recent), choose_rows(every, dated, recent)


def _settled(
    years: Years, recipe: SpecialistRecipe, corpus: Corpus, rows: list[CorpusRow]
) -> SettledRows:
    """Return the rows of long before that recent rows with the same name settle."""
    return settled_rows(
        [row.text for row in rows],
        label_numbers(rows, corpus.labels, recipe.labellers),
        years_of(rows, years).recent,
        catalogue_names(shipped_taxonomy()),
        len(corpus.labels),
    )


def _teach(
    teacher: SpecialistTeacher,
    recipe: SpecialistRecipe,
    corpus: Corpus,
    rows: list[CorpusRow],
    folder: Path,
) -> Callable[[], dict[str, NDArray[Any]]]:
    """Fit a teacher and return what gives its soft labels of every row, then of rewordings."""
    model = _learn(teacher, recipe, corpus, rows, folder)
    to_device(model)

    def soften() -> dict[str, NDArray[Any]]:
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        years = recipe.years if teacher.dated else None
        asked = rows + corpus.reworded
        parts = tokenize_rows(tokenizer, asked, (), teacher.fit.max_tokens, years)
        found = soften_records(model, parts, recipe.labellers.index("cna"))
        return {"ids": found.ids, "probabilities": found.probabilities}

    return soften


def _learn(
    plan: SpecialistTeacher,
    recipe: SpecialistRecipe,
    corpus: Corpus,
    rows: list[CorpusRow],
    folder: Path,
    *,
    layers: tuple[int, ...] | None = None,
    reading: int = 0,
    intermediate: int | None = None,
    min_piece_count: int = 0,
    neutral: Sequence[str] = (),
    soft: SoftLabels | None = None,
    assumed: SoftLabels | None = None,
) -> CweEncoder:
    """Take a base through pretraining and supervision; teachers and students alike."""
    years = recipe.years if plan.dated else None
    folder.mkdir(parents=True, exist_ok=True)
    set_seed(plan.seed)
    base, tokenizer = adapted_base(
        plan.base,
        plan.pretrain,
        [render_record(row.text, parts_of_row(row)) for row in rows],
        added_words(corpus.labels, years),
        folder,
        plan.seed,
        layers=layers,
        intermediate=intermediate,
        min_piece_count=min_piece_count,
    )
    # Again, since a resumed run has not drawn what pretraining drew.
    set_seed(plan.seed)
    encoder = ReadingEncoder(base.encoder, reading) if reading else base.encoder
    if base.causal and not reading:
        encoder = LastTokenEncoder(base.encoder)
    options = plan.supervision
    model = CweEncoder(encoder, base.hidden, len(recipe.labellers), len(corpus.labels), options)
    labels = label_numbers(rows, corpus.labels, recipe.labellers)
    weights = age_weights(rows, options.half_life_years, options.floor)
    kept = soft.ids.shape[-1] if soft is not None else 1
    data = ViewedRows(
        tokenize_rows(tokenizer, rows, neutral, plan.fit.max_tokens, years),
        labels,
        weights,
        recipe.labellers.index("cna"),
        label_prior(labels, weights, kept),
        soft,
        assumed,
    )
    learn_views(model, data, plan.views, plan.fit, folder, plan.seed)
    return model
