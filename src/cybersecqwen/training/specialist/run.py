"""One training run: refuse what cannot work, fit, pack, clean up."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import msgspec

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.files import write_text
from cybersecqwen.training.hf_trainer import processes
from cybersecqwen.training.specialist.fit import Report, fit_specialist, read_corpus
from cybersecqwen.training.specialist.package import Results, pack, read_results
from cybersecqwen.training.specialist.recipe import SpecialistRecipe

_WHAT = "run.txt"


def train_specialist(
    recipe: SpecialistRecipe, corpus_folder: Path, out: Path, *, resume: bool, report: Report
) -> Results | None:
    """Train a specialist into the folder ``out``.

    The stages work in ``out`` with ``.work`` added to its name, which goes when the model is
    whole. Under ``torchrun`` or ``accelerate launch`` every process calls this alike; all but the
    main one get None.

    Raises:
        InputError: ``out`` is taken, the corpus cannot be used, or the work left behind belongs
            to another recipe or corpus.
    """
    if out.exists():
        raise InputError(f"{out}: is there already; give another folder, or remove it")
    corpus = read_corpus(corpus_folder, recipe)
    minutes: dict[str, float] = {}

    def timed(stage: str, spent: float) -> None:
        minutes[stage] = spent
        report(stage, spent)

    work = out.with_name(out.name + ".work")
    state = processes()
    with state.main_process_first():
        _claim(work, recipe, corpus.hashes, resume)
    model = fit_specialist(recipe, corpus, work, timed)
    if state.is_main_process:
        made = work / "folder"
        shutil.rmtree(made, ignore_errors=True)
        pack(model, recipe, corpus, work, made, minutes)
        made.replace(out)
        shutil.rmtree(work)
    state.wait_for_everyone()
    return read_results(out) if state.is_main_process else None


def _claim(work: Path, recipe: SpecialistRecipe, hashes: dict[str, str], resume: bool) -> None:
    """Make the work folder, or check that the one there belongs to this run."""
    identity = msgspec.json.encode([recipe, hashes])
    mark = work / _WHAT
    what = hashlib.sha256(identity).hexdigest()
    if not work.exists():
        write_text(mark, what)
        return
    if mark.exists() and mark.read_text() != what:
        raise InputError(f"{work}: left by a run of another recipe or corpus; remove it first")
    if not resume and processes().is_main_process:
        raise InputError(f"{work}: left by a run that did not end; give --resume, or remove it")
    write_text(mark, what)
