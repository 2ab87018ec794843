"""Checkpoints that are either whole or not used."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

_WHOLE = "complete"  # a checkpoint without this file was cut off while being written


class MarkWhole(TrainerCallback):
    """Marks a checkpoint once all of it is written."""

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Called by the Trainer after it has written a checkpoint."""
        if state.is_world_process_zero:
            (Path(args.output_dir) / f"checkpoint-{state.global_step}" / _WHOLE).touch()


def last_whole(folder: Path) -> str | None:
    """Return the newest checkpoint that was written to its end; remove those that were not."""
    whole = []
    for checkpoint in folder.glob("checkpoint-*"):
        if (checkpoint / _WHOLE).exists():
            whole.append((int(checkpoint.name.rsplit("-", 1)[1]), checkpoint))
        else:
            shutil.rmtree(checkpoint)
    return str(max(whole)[1]) if whole else None
