"""One resumable fit, whatever the model: the Hugging Face Trainer with our habits."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from safetensors.torch import load_file
from torch import nn
from torch.utils.data import Dataset
from transformers import (
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from transformers.trainer_pt_utils import LengthGroupedSampler

from cybersecqwen.core.files import write_json
from cybersecqwen.training.averaging import AverageWeights
from cybersecqwen.training.checkpoints import MarkWhole, last_whole
from cybersecqwen.training.recipes.specialist import Fit

log = logging.getLogger(__name__)

_WORKERS_PER_GPU = 6

Collate = Callable[[list[int]], Mapping[str, Any]]


class Indices(Dataset[int]):
    """Row numbers and lengths; the collator turns a batch of numbers into tensors."""

    def __init__(self, lengths: list[int]) -> None:
        self.lengths = lengths

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, index: int) -> int:
        return index


class _FitProgress(TrainerCallback):
    """Writes the progress of a fit to this module's log."""

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, float] | None = None,
        **_: Any,
    ) -> None:
        if state.is_world_process_zero and logs and "loss" in logs:
            log.info("step %d of %d: loss %s", state.global_step, state.max_steps, logs["loss"])


class _EpochSampler(LengthGroupedSampler):
    """Texts of like length together, in an order that the epoch's number alone decides.

    So a resumed run meets an epoch's rows as the unbroken one did, without having drawn the
    epochs before it.
    """

    def __init__(self, rows: Indices, batch_size: int, seed: int) -> None:
        super().__init__(batch_size, lengths=rows.lengths, generator=torch.Generator())
        self.seed = seed
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Take the number of the epoch that begins; the data loader calls it."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        self.generator.manual_seed(self.seed * 1_000_003 + self.epoch)
        return iter(super().__iter__())


class _LengthGrouped(Trainer):
    """A Trainer that batches texts of like length, reading the lengths where they are known."""

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        size = self.args.train_batch_size * self.args.gradient_accumulation_steps
        return _EpochSampler(train_dataset or self.train_dataset, size, self.args.seed)


def fit(
    model: nn.Module,
    rows: Indices,
    collate: Collate,
    schedule: Fit,
    folder: Path,
    seed: int,
    save_every: int = 500,
) -> None:
    """Fit ``model`` in place, or finish the fit that ``folder`` holds.

    Killed at any step and called again, it goes on from the last whole checkpoint with the same
    order of rows, the same random numbers and so the same losses. Under ``torchrun`` or
    ``accelerate launch`` each process takes its share of every batch.

    Args:
        model: Returns ``{"loss": ...}`` for what ``collate`` makes.
        rows: The training rows.
        collate: Row numbers to the model's keyword arguments.
        schedule: Epochs, batch size and learning rate.
        folder: Gets checkpoints, then ``model.safetensors`` and ``curve.json``.
        seed: Of dropout and of the order of rows.
        save_every: Optimizer steps between checkpoints.
    """
    weights = folder / "model.safetensors"
    if weights.exists():
        model.load_state_dict(load_file(weights))
        return
    resumed = last_whole(folder / "checkpoints")
    averaging = [AverageWeights(schedule.average, resumed)] if schedule.average else []
    trainer = _LengthGrouped(
        model=model,
        args=_arguments(schedule, folder / "checkpoints", seed, save_every),
        train_dataset=rows,
        data_collator=collate,
        callbacks=[*averaging, MarkWhole(), _FitProgress()],
    )
    trainer.remove_callback(PrinterCallback)  # standard output is the caller's
    trainer.train(resume_from_checkpoint=resumed)
    if trainer.is_world_process_zero():
        write_json(folder / "curve.json", trainer.state.log_history)
        trainer.save_model(str(folder / "final"))
        (folder / "final" / "model.safetensors").replace(weights)
        shutil.rmtree(folder / "final")
        shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    trainer.accelerator.wait_for_everyone()


def _arguments(schedule: Fit, checkpoints: Path, seed: int, save_every: int) -> TrainingArguments:
    cuda = torch.cuda.is_available()
    return TrainingArguments(
        output_dir=str(checkpoints),
        use_cpu=not cuda,
        num_train_epochs=schedule.epochs,
        per_device_train_batch_size=max(1, schedule.batch_size // processes().num_processes),
        learning_rate=schedule.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=schedule.warmup,
        weight_decay=schedule.weight_decay,
        max_grad_norm=1.0,
        bf16=cuda,
        seed=seed,
        data_seed=seed,
        save_steps=save_every,
        save_total_limit=2,
        logging_steps=50,
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_num_workers=_WORKERS_PER_GPU if cuda else 0,
        dataloader_persistent_workers=cuda,
    )


def processes() -> PartialState:
    """Return which of a launcher's processes this is; alone, it is the main one."""
    return PartialState(cpu=not torch.cuda.is_available())
