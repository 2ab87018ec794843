"""From corpus and recipe to a model folder, in stages that each resume."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast, set_seed

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.files import atomic_write, sha256_file, write_text
from cybersecqwen.core.rows import CorpusRow, read_corpus_rows
from cybersecqwen.core.text.clean import render
from cybersecqwen.training.hf_trainer import processes
from cybersecqwen.training.recipes.specialist import SpecialistRecipe, SpecialistTeacher
from cybersecqwen.training.specialist.encoder import (
    CweEncoder,
    keep_layers,
    load_base,
    narrow_feed_forward,
    shrink_embeddings,
)
from cybersecqwen.training.specialist.pretraining import pretrain
from cybersecqwen.training.specialist.rows import (
    age_weights,
    choose_labels,
    encode,
    label_numbers,
)
from cybersecqwen.training.specialist.supervision import (
    SoftLabels,
    Supervised,
    average,
    soften,
    supervise,
    to_device,
)
from cybersecqwen.training.specialist.vocabulary import prune

Report = Callable[[str, float], None]
"""Takes a finished stage's name and its minutes."""


@dataclass(frozen=True)
class Corpus:
    """What a specialist learns from.

    Attributes:
        taught: Rows with a label, oldest first as the corpus has them.
        untaught: Rows without, for pretraining and for teachers to label.
        validation: Rows that nothing is learnt from.
        labels: The C ids to tell apart.
        hashes: SHA-256 of each corpus file.
    """

    taught: list[CorpusRow]
    untaught: list[CorpusRow]
    validation: list[CorpusRow]
    labels: list[str]
    hashes: dict[str, str]


def read_corpus(folder: Path, recipe: SpecialistRecipe) -> Corpus:
    """Read ``train.jsonl``, ``unlabelled.jsonl`` and ``validation.jsonl`` of a built corpus.

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
    hashes = {name: sha256_file(folder / name) for name in names}
    return Corpus(taught, untaught, validation, labels, hashes)


def fit_specialist(
    recipe: SpecialistRecipe, corpus: Corpus, folder: Path, report: Report
) -> CweEncoder:
    """Run every stage up to the fitted encoder, resuming what ``folder`` already holds.

    The tokenizer it reads is left in ``folder / student / tokenizer.json``.
    """
    rows = corpus.taught + corpus.untaught
    texts = [row.text for row in rows]
    made = []
    for number, teacher in enumerate(recipe.teachers):
        start = time.monotonic()
        place = folder / f"teacher-{number}"
        made.append(_teach(teacher, recipe, corpus, rows, texts, place))
        report(f"teacher {number}", (time.monotonic() - start) / 60)
    start = time.monotonic()
    model = _learn(
        SpecialistTeacher(
            base=recipe.base,
            fit=recipe.fit,
            seed=recipe.seed,
            supervision=recipe.supervision,
            pretrain=recipe.pretrain,
        ),
        recipe,
        corpus,
        rows,
        texts,
        folder / "student",
        layers=recipe.layers,
        intermediate=recipe.intermediate,
        min_piece_count=recipe.min_piece_count,
        soft=average(made, len(corpus.labels)) if made else None,
    )
    report("student", (time.monotonic() - start) / 60)
    return model


def _teach(
    teacher: SpecialistTeacher,
    recipe: SpecialistRecipe,
    corpus: Corpus,
    rows: list[CorpusRow],
    texts: list[str],
    folder: Path,
) -> SoftLabels:
    """Fit a teacher and return its soft labels of every row."""
    kept = folder / "soft.npz"
    if not kept.exists():
        model = _learn(teacher, recipe, corpus, rows, texts, folder)
        to_device(model)
        with processes().main_process_first():
            if not kept.exists():
                tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
                found = soften(model, encode(tokenizer, texts, teacher.fit.max_tokens))
                with atomic_write(kept) as stream:
                    np.savez(stream, ids=found.ids, probabilities=found.probabilities)
    with np.load(kept) as arrays:
        return SoftLabels(arrays["ids"], arrays["probabilities"])


def _learn(
    plan: SpecialistTeacher,
    recipe: SpecialistRecipe,
    corpus: Corpus,
    rows: list[CorpusRow],
    texts: list[str],
    folder: Path,
    *,
    layers: tuple[int, ...] | None = None,
    intermediate: int | None = None,
    min_piece_count: int = 0,
    soft: SoftLabels | None = None,
) -> CweEncoder:
    """Take a base through pretraining and supervision; teachers and students alike."""
    folder.mkdir(parents=True, exist_ok=True)
    set_seed(plan.seed)
    base = load_base(plan.base)
    tokenizer, kept = prune(
        base.tokenizer.backend_tokenizer, [render(text) for text in texts], min_piece_count
    )
    if processes().is_main_process:
        write_text(folder / "tokenizer.json", tokenizer.to_str())
    if len(kept) < base.encoder.get_input_embeddings().num_embeddings:
        shrink_embeddings(base.encoder, kept)
    if layers is not None:
        keep_layers(base.encoder, layers)
    if intermediate is not None:
        narrow_feed_forward(base.encoder, intermediate)
    if plan.pretrain is not None:
        _adapt(base.encoder, base.hidden, base.tokenizer, tokenizer, texts, plan, folder)
    # Again, since a resumed run has not drawn what pretraining drew.
    set_seed(plan.seed)
    encoder = CweEncoder(
        base.encoder, base.hidden, len(recipe.labellers), len(corpus.labels), plan.supervision
    )
    options = plan.supervision
    data = Supervised(
        encode(tokenizer, texts, plan.fit.max_tokens),
        label_numbers(rows, corpus.labels, recipe.labellers),
        age_weights(rows, options.half_life_years, options.floor),
        soft,
    )
    supervise(encoder, data, plan.fit, folder, plan.seed)
    return encoder


def _adapt(
    encoder: torch.nn.Module,
    hidden: int,
    whole: PreTrainedTokenizerFast,
    pruned: Tokenizer,
    texts: list[str],
    teacher: SpecialistTeacher,
    folder: Path,
) -> None:
    options = teacher.pretrain
    assert options is not None
    wrapped = PreTrainedTokenizerFast(tokenizer_object=pruned, **whole.special_tokens_map)
    encoded = encode(pruned, texts, options.fit.max_tokens)
    pretrain(encoder, hidden, wrapped, encoded, options, folder / "pretrain", teacher.seed)
