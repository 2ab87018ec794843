"""One training run: refuse what cannot work, fit, pack, clean up."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

from cybersecqwen.core.work_folder import publish, refuse_taken, work_folder
from cybersecqwen.training.hf_trainer import processes
from cybersecqwen.training.recipes.specialist import SpecialistRecipe
from cybersecqwen.training.specialist.fit import Report, fit_specialist, read_corpus
from cybersecqwen.training.specialist.package import Results, pack, read_results


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
            made = work / "folder"
            shutil.rmtree(made, ignore_errors=True)
            pack(model, recipe, corpus, work, made, minutes)
            publish(made, work, out)
        state.wait_for_everyone()
    return read_results(out) if state.is_main_process else None
