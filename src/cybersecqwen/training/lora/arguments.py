"""A recipe, as the settings that TRL's trainer takes."""

from __future__ import annotations

from pathlib import Path

import torch
from trl import SFTConfig

from cybersecqwen.training.lora.memory_plan import MemoryStrategy
from cybersecqwen.training.recipes.lora import LoraRecipe


def sft_arguments(
    recipe: LoraRecipe, strategy: MemoryStrategy, folder: Path, *, validates: bool
) -> SFTConfig:
    """Return a recipe as TRL's settings.

    Args:
        recipe: What to do.
        strategy: How to use the memory.
        folder: Folder of the checkpoints.
        validates: Whether there are rows to validate on.
    """
    cuda = torch.cuda.is_available()
    fit = recipe.fit
    by_steps = recipe.validate_every > 0
    return SFTConfig(
        output_dir=str(folder),
        use_cpu=not cuda,
        bf16=cuda,
        num_train_epochs=fit.epochs,
        # One process's share of a step; only said here, since the loader hands out whole steps.
        per_device_train_batch_size=fit.batch,
        learning_rate=fit.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=fit.warmup,
        weight_decay=fit.weight_decay,
        max_grad_norm=fit.clip,
        optim="adamw_8bit" if strategy.optimizer_8bit else "adamw_torch_fused",
        gradient_checkpointing=strategy.checkpointing,
        gradient_checkpointing_kwargs={"use_reentrant": False} if strategy.checkpointing else None,
        seed=recipe.seed,
        data_seed=recipe.seed,
        save_steps=recipe.checkpoint_every,
        save_total_limit=2,
        eval_strategy=("steps" if by_steps else "epoch") if validates else "no",
        eval_steps=recipe.validate_every or None,
        logging_steps=1,
        logging_nan_inf_filter=False,  # it would show a loss that is no number as 0
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        ddp_find_unused_parameters=False,
        dataset_kwargs={"skip_prepare_dataset": True},
        max_length=None,
    )
