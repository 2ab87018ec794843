"""One training run: refuse what cannot work, fit, pack, clean up."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.files import sha256_file
from cybersecqwen.core.rows import read_corpus_rows
from cybersecqwen.core.work_folder import publish, refuse_taken, work_folder
from cybersecqwen.training.hf_trainer import processes
from cybersecqwen.training.recipes.severity import SeverityRecipe
from cybersecqwen.training.recipes.specialist import SpecialistRecipe
from cybersecqwen.training.recipes.technique import TechniqueRecipe
from cybersecqwen.training.specialist.fit import Report, fit_specialist, read_corpus
from cybersecqwen.training.specialist.package import Results, pack, read_results
from cybersecqwen.training.specialist.package_severity import pack_severity
from cybersecqwen.training.specialist.package_technique import pack_technique
from cybersecqwen.training.specialist.refit_heads import refit_heads
from cybersecqwen.training.specialist.report_reading import OpenReader
from cybersecqwen.training.specialist.rows import choose_labels
from cybersecqwen.training.specialist.severity import fit_severity
from cybersecqwen.training.specialist.technique import fit_techniques, read_technique_corpus


def train_specialist(
    recipe: SpecialistRecipe, corpus_folder: Path, out: Path, *, resume: bool, report: Report
) -> Results | None:
    """Train a specialist into the folder ``out``.

    The stages work in ``out`` with ``.work`` added to its name, which goes when the model is
    whole. Under ``torchrun`` or ``accelerate launch`` every process calls this alike; all but the
    main one get None.

    Raises:
        LockedError: Another run makes ``out``.
        InputError: ``out`` is taken, the corpus cannot be used, or the work left behind belongs
            to another recipe or corpus.
    """
    refuse_taken(out)
    corpus = read_corpus(corpus_folder, recipe)
    minutes: dict[str, float] = {}

    def timed(stage: str, spent: float) -> None:
        minutes[stage] = spent
        report(stage, spent)

    state = processes()
    with contextlib.ExitStack() as held:
        with state.main_process_first():
            claim = work_folder(
                out, [recipe, corpus.hashes], resume=resume, writes=state.is_main_process
            )
            work = held.enter_context(claim)
        model = fit_specialist(recipe, corpus, work, timed)
        if state.is_main_process:
            if recipe.refit:
                start = time.monotonic()
                refit_heads(model, recipe, corpus, recipe.refit, work)
                timed("heads", (time.monotonic() - start) / 60)
            with _model_folder(work, out) as made:
                pack(model, recipe, corpus, work, made, minutes)
        state.wait_for_everyone()
    return read_results(out) if state.is_main_process else None


def train_severity(
    recipe: SeverityRecipe, corpus: Path, out: Path, *, resume: bool, report: Report
) -> dict[str, Any]:
    """Train a severity specialist into the folder ``out``, and return what it reaches.

    Raises:
        LockedError: Another run makes ``out``.
        InputError: ``out`` is taken, the corpus cannot be used, or the work left behind belongs
            to another recipe or corpus.
    """
    refuse_taken(out)
    names = ("train.jsonl", "unlabelled.jsonl", "validation.jsonl")
    train, unlabelled, validation = (
        [row for _, row in read_corpus_rows(corpus / name)] for name in names
    )
    scored = [row for row in train if row.scored]
    if not scored or not any(row.scored for row in validation):
        raise InputError(f"{corpus}: no rows with CVSS vectors to learn from and to measure on")
    hashes = {f"sha256 of {name}": sha256_file(corpus / name) for name in names}
    with work_folder(out, [recipe, hashes], resume=resume, writes=True) as work:
        cwes = choose_labels(train, ("nvd", "cna", "adp"), 5)
        model, tokenizer = fit_severity(recipe, [*train, *unlabelled], cwes, work, report)
        with _model_folder(work, out) as made:
            return pack_severity(model, tokenizer, recipe, scored, validation, work, made, hashes)


def train_technique(
    recipe: TechniqueRecipe,
    corpus: Path,
    out: Path,
    *,
    resume: bool,
    report: Report,
    open_reader: OpenReader | None = None,
) -> dict[str, Any]:
    """Train a technique specialist into the folder ``out``, and return what it reaches.

    ``open_reader`` is as for ``pack_technique``.

    Raises:
        LockedError: Another run makes ``out``.
        InputError: As ``train_severity``.
    """
    refuse_taken(out)
    read = read_technique_corpus(corpus)
    try:
        built = msgspec.json.decode((corpus / "report.json").read_bytes())
    except (OSError, msgspec.DecodeError) as error:
        raise InputError(f"{corpus}: no technique corpus: {error}") from error
    names = ("train.jsonl", "validation.jsonl", "techniques.jsonl", "reports.jsonl")
    there = [name for name in names if (corpus / name).exists()]
    hashes = {f"sha256 of {name}": sha256_file(corpus / name) for name in there}
    with work_folder(out, [recipe, hashes], resume=resume, writes=True) as work:
        model, tokenizer = fit_techniques(recipe, read, work, report)
        version = str(built.get("attack_version", ""))
        with _model_folder(work, out) as made:
            return pack_technique(model, tokenizer, recipe, read, version, work, made, hashes)


@contextlib.contextmanager
def _model_folder(work: Path, out: Path) -> Iterator[Path]:
    """Yield a folder to fill, which takes the place of ``out`` when the block ends well."""
    made = work / "folder"
    shutil.rmtree(made, ignore_errors=True)
    yield made
    publish(made, work, out)
