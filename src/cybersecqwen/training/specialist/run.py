"""Training runs of the specialists: refuse what cannot work, fit, pack, clean up."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.files import sha256_file
from cybersecqwen.core.rows import read_corpus_rows
from cybersecqwen.core.work_folder import publish, refuse_taken, work_folder
from cybersecqwen.training.hf_trainer import processes
from cybersecqwen.training.recipes.severity import SeverityRecipe
from cybersecqwen.training.recipes.specialist import SpecialistRecipe
from cybersecqwen.training.recipes.technique import TechniqueRecipe
from cybersecqwen.training.specialist.encoder import CweEncoder
from cybersecqwen.training.specialist.fit import fit_specialist, read_corpus
from cybersecqwen.training.specialist.package import Results, pack
from cybersecqwen.training.specialist.package_severity import pack_severity
from cybersecqwen.training.specialist.package_technique import pack_technique
from cybersecqwen.training.specialist.refit_heads import refit_heads
from cybersecqwen.training.specialist.report_reading import OpenReader
from cybersecqwen.training.specialist.rows import choose_labels
from cybersecqwen.training.specialist.severity import fit_severity
from cybersecqwen.training.specialist.teachers import Report
from cybersecqwen.training.specialist.technique import fit_techniques
from cybersecqwen.training.specialist.technique_corpus import read_technique_corpus
from cybersecqwen.training.specialist.write_folder import provenance

FittedT = TypeVar("FittedT")
ResultT = TypeVar("ResultT")


def train_specialist(
    recipe: SpecialistRecipe, corpus_folder: Path, out: Path, *, resume: bool, report: Report
) -> Results | None:
    """Train a weakness specialist into the folder ``out``, and return what it reaches.

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

    def finish(model: CweEncoder, work: Path, made: Path) -> Results:
        if recipe.refit:
            start = time.monotonic()
            refit_heads(model, recipe, corpus, recipe.refit, work)
            timed("heads", (time.monotonic() - start) / 60)
        return pack(model, recipe, corpus, work, made, minutes)

    return _trained(
        out,
        [recipe, corpus.hashes],
        lambda work: fit_specialist(recipe, corpus, work, timed),
        finish,
        resume=resume,
    )


def train_severity(
    recipe: SeverityRecipe, corpus: Path, out: Path, *, resume: bool, report: Report
) -> dict[str, Any] | None:
    """Train a severity specialist; see ``train_specialist``."""
    refuse_taken(out)
    names = ("train.jsonl", "unlabelled.jsonl", "validation.jsonl")
    train, unlabelled, validation = (
        [row for _, row in read_corpus_rows(corpus / name)] for name in names
    )
    scored = [row for row in train if row.scored]
    if not scored or not any(row.scored for row in validation):
        raise InputError(f"{corpus}: no rows with CVSS vectors to learn from and to measure on")
    hashes = _hashes(corpus, names)
    cwes = choose_labels(train, ("nvd", "cna", "adp"), 5)
    return _trained(
        out,
        [recipe, hashes],
        lambda work: fit_severity(recipe, [*train, *unlabelled], cwes, work, report),
        lambda fitted, work, made: pack_severity(
            *fitted, recipe, scored, validation, work, made, _origin(recipe, hashes)
        ),
        resume=resume,
    )


def train_technique(
    recipe: TechniqueRecipe,
    corpus: Path,
    out: Path,
    *,
    resume: bool,
    report: Report,
    open_reader: OpenReader | None = None,
) -> dict[str, Any] | None:
    """Train a technique specialist; see ``train_specialist``.

    ``open_reader`` is as for ``pack_technique``.
    """
    refuse_taken(out)
    read = read_technique_corpus(corpus)
    try:
        built = msgspec.json.decode((corpus / "report.json").read_bytes())
    except (OSError, msgspec.DecodeError) as error:
        raise InputError(f"{corpus}: no technique corpus: {error}") from error
    parts = ("train", "paragraphs", "openings", "validation", "scenarios", "reports", "techniques")
    names = [f"{part}.jsonl" for part in parts]
    hashes = _hashes(corpus, [name for name in names if (corpus / name).exists()])
    version = str(built.get("attack_version", ""))
    return _trained(
        out,
        [recipe, hashes],
        lambda work: fit_techniques(recipe, read, work, report),
        lambda fitted, work, made: pack_technique(
            *fitted, recipe, read, version, work, made, _origin(recipe, hashes), open_reader
        ),
        resume=resume,
    )


def _trained(
    out: Path,
    made_from: Sequence[object],
    fit: Callable[[Path], FittedT],
    finish: Callable[[FittedT, Path, Path], ResultT],
    *,
    resume: bool,
) -> ResultT | None:
    """Fit in a work folder, then fill the model folder, which takes its place when it is whole.

    Args:
        out: The model folder.
        made_from: What the work left behind must have been made from, to be gone on with.
        fit: Runs the stages in the work folder.
        finish: Writes the model from the work folder (its second argument) into its third.
        resume: Whether to go on with what a killed run left behind.

    Returns:
        What ``finish`` measured; None in all but the main process.
    """
    state = processes()
    results: ResultT | None = None
    with contextlib.ExitStack() as held:
        with state.main_process_first():
            claim = work_folder(out, made_from, resume=resume, writes=state.is_main_process)
            work = held.enter_context(claim)
        fitted = fit(work)
        if state.is_main_process:
            made = work / "folder"
            shutil.rmtree(made, ignore_errors=True)
            results = finish(fitted, work, made)
            publish(made, work, out)
        state.wait_for_everyone()
    return results


def _hashes(corpus: Path, names: Iterable[str]) -> dict[str, str]:
    return {name: sha256_file(corpus / name) for name in names}


def _origin(recipe: SeverityRecipe | TechniqueRecipe, hashes: dict[str, str]) -> dict[str, str]:
    return provenance(recipe.base, [teacher.base for teacher in recipe.teachers], hashes)
