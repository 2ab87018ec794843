"""One fine-tuning: refuse what cannot work, fit, write the adapter's or model's folder."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import torch
from accelerate.utils import gather_object
from transformers import set_seed

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.files import write_json, write_text
from cybersecqwen.core.model_files import write_sums
from cybersecqwen.core.work_folder import publish, work_folder
from cybersecqwen.training.checkpoints import last_whole
from cybersecqwen.training.hf_trainer import processes
from cybersecqwen.training.lora.card import CARD_FILE, write_card
from cybersecqwen.training.lora.divergence import require_plain_logits
from cybersecqwen.training.lora.examples import ChatCorpus, encode_examples, read_chat_corpus
from cybersecqwen.training.lora.memory_plan import MemoryPlan, Profile, plan_memory, read_shape
from cybersecqwen.training.lora.model import (
    LoraBase,
    base_identity,
    compiling_pays,
    find_base,
    has_flash_attention,
    load_weights,
    own_type,
)
from cybersecqwen.training.lora.packing import TokenRow, TokenRows, make_rows
from cybersecqwen.training.lora.results import RESULTS_FILE, LoraResults, summarise
from cybersecqwen.training.lora.step_reports import Report
from cybersecqwen.training.lora.trainer import LoraTrainer
from cybersecqwen.training.recipes.lora import LoraRecipe


@dataclass(frozen=True)
class LoraJob:
    """A fine-tuning that has passed every check that needs no weights."""

    recipe: LoraRecipe
    base: LoraBase
    corpus: ChatCorpus
    train: TokenRows
    validation: list[TokenRow]
    plan: MemoryPlan


def prepare(recipe: LoraRecipe, corpus: Path, profile: Profile | None = None) -> LoraJob:
    """Read the corpus, find the base, and see that the memory suffices; load no weights.

    Raises:
        InputError: One of them will not do; the message says what would.
        ModelError: The base cannot hold conversations.
    """
    _check(recipe)
    rows = read_chat_corpus(corpus, recipe.replay, recipe.repeat)
    for kind in recipe.first:
        if not any(row.kind.startswith(kind) for row in rows.train):
            raise InputError(f"{corpus}: no rows of the kind {kind!r}, which `first` names")
    base = find_base(recipe.base)
    if recipe.replay_loss == "distribution":
        require_plain_logits(base.config)
    longest = getattr(base.config, "max_position_embeddings", None)
    if longest is not None and recipe.max_tokens > longest:
        raise InputError(f"max_tokens {recipe.max_tokens}: {recipe.base} reads {longest} at most")
    train = make_rows(encode_examples(base.tokenizer, rows.train), recipe)
    if not train.rows:
        raise InputError(
            f"{corpus}: every example is longer than max_tokens, {recipe.max_tokens}; raise it"
        )
    # Measured alike whatever is learnt and however it is packed, so that recipes can be compared.
    alike = msgspec.structs.replace(recipe, packing="none", loss="answer")
    held_out = rows.validation[: recipe.validation_rows]
    validation = make_rows(encode_examples(base.tokenizer, held_out), alike).rows
    wide = max(map(len, [*train.rows, *validation]))
    shape = read_shape(base.config, recipe)
    plan = plan_memory(shape, recipe, wide, profile=profile, devices=processes().num_processes)
    # One way for all devices, though they may have unlike room: where the model is sharded, they
    # have to pass through it equally often.
    plan = min(gather_object([plan]), key=lambda found: found.estimate)
    return LoraJob(recipe, base, rows, train, validation, plan)


def _check(recipe: LoraRecipe) -> None:
    """Refuse what cannot be done here."""
    if recipe.replay_loss == "distribution" and processes().num_processes > 1:
        raise InputError(f"recipe {recipe.name}: replay_loss: distribution runs on one GPU only")


def train_lora(
    job: LoraJob,
    out: Path,
    against: Mapping[str, str],
    *,
    resume: bool,
    compiled: bool | None = False,
    deterministic: bool = False,
    report: Report | None = None,
) -> LoraResults | None:
    """Fine-tune into the folder ``out``.

    Checkpoints lie in ``out`` with ``.work`` added to its name, which goes when the result is
    whole: an adapter's folder or, of full fine-tuning, a model's. Under ``torchrun`` or
    ``accelerate launch`` every process calls this alike; all but the main one get None.

    Args:
        job: What to do.
        out: Folder to appear.
        against: SHA-256 of each benchmark file, by name, that the corpus was found not to overlap.
        resume: Whether to go on with what a killed run left.
        compiled: As for ``LoraTrainer``; None for where it pays.
        deterministic: Whether a GPU is to compute the same numbers in every run, which takes it
            longer; a processor does so anyway.
        report: Called after each step.

    Raises:
        LockedError: Another run makes ``out``.
        InputError: ``out`` is taken, or the work left behind belongs to another run.
    """
    state = processes()
    strategy = job.plan.strategy
    if compiled is None:
        tokens = sum(map(len, job.train.rows)) * job.recipe.fit.epochs
        shape = read_shape(job.base.config, job.recipe)
        # FSDP and 4-bit weights were not measured with it.
        alone = state.num_processes == 1 and not strategy.base_4bit
        compiled = alone and compiling_pays(shape, round(tokens))
    identity = [job.recipe, job.corpus.hashes, strategy.base_4bit, strategy.optimizer_8bit]
    with ExitStack() as held:
        with state.main_process_first():
            claim = work_folder(out, identity, resume=resume, writes=state.is_main_process)
            work = held.enter_context(claim)
            found = last_whole(work / "checkpoints")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # what the libraries say to each other
            with _reproducible() if deterministic else nullcontext():
                trainer = _fitted(job, work / "checkpoints", found, report, compiled=compiled)
        made = work / "folder"
        _save(trainer, job, made)
        if state.is_main_process:
            results = summarise(trainer.state.log_history, peak_memory(), trainer.tokens_per_second)
            _write(made, job, against, results, trainer, deterministic=deterministic)
            write_sums(made)
            publish(made, work, out)
        state.wait_for_everyone()
    # A process group left open can keep its processes from ending.
    trainer.accelerator.end_training()
    return results if state.is_main_process else None


def _fitted(
    job: LoraJob, folder: Path, found: str | None, report: Report | None, *, compiled: bool
) -> LoraTrainer:
    set_seed(job.recipe.seed)
    trainer = LoraTrainer(
        load_weights(job.base, job.recipe, job.plan.strategy),
        job.base.tokenizer,
        job.recipe,
        job.plan.strategy,
        job.train.rows,
        job.validation,
        folder,
        report,
        compiled=compiled,
    )
    trainer.train(resume_from_checkpoint=found)
    return trainer


def _save(trainer: LoraTrainer, job: LoraJob, folder: Path) -> None:
    """Write what was trained: an adapter in float32, or a model as others load one."""
    if job.recipe.adapter is None:
        # In the base's own type, rounded once, with its cache.
        trainer.model.to(own_type(job.base))
        trainer.model.config.use_cache = True
    trainer.save_model(str(folder))


@contextmanager
def _reproducible() -> Iterator[None]:
    """Let PyTorch take only kernels that add up in one order.

    https://docs.pytorch.org/docs/stable/notes/randomness.html
    """
    # Read when a GPU is first used, and by FlashAttention-2 at each call.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    os.environ.setdefault("FLASH_ATTENTION_DETERMINISTIC", "1")
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


def _write(
    folder: Path,
    job: LoraJob,
    against: Mapping[str, str],
    results: LoraResults,
    trainer: LoraTrainer,
    *,
    deterministic: bool,
) -> None:
    """Put beside the weights what made them."""
    (folder / "training_args.bin").unlink(missing_ok=True)  # a pickle, of nothing that is not below
    record = {
        "recipe": job.recipe,
        "base": {"source": job.recipe.base, "files": base_identity(job.base)},
        "corpus": {"files": job.corpus.hashes, "checked_against": dict(against)},
        "rows": {
            "examples": len(job.corpus.train),
            "rows": len(job.train.rows),
            "too_long": job.train.too_long,
            "validation": len(job.validation),
        },
        "memory": {"strategy": job.plan.strategy, "estimate_bytes": job.plan.estimate},
        "machine": {
            **_machine(),
            "compiled": trainer.compiled,
            "deterministic": deterministic,
        },
        "results": results,
        "curve": trainer.state.log_history,
    }
    write_json(folder / RESULTS_FILE, record)
    write_text(folder / CARD_FILE, write_card(msgspec.to_builtins(record)))


def _machine() -> dict[str, Any]:
    cuda = torch.cuda.is_available()
    return {
        "device": torch.cuda.get_device_name() if cuda else "processor",
        "processes": processes().num_processes,
        "attention": "flash_attention_2" if has_flash_attention() else "sdpa",
        "torch": str(torch.__version__),
    }


def peak_memory() -> int:
    """Return the most bytes held so far: on the GPU where there is one, else by the process."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    try:
        import resource  # noqa: PLC0415 - Windows has none
    except ImportError:
        import psutil  # noqa: PLC0415 - accelerate brings it

        return int(psutil.Process().memory_info().peak_wset)
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return held if sys.platform == "darwin" else held * 1024
