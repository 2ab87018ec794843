"""Checkpoints that are either whole or not used."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

_TIMES_WRITING = 30
_WHOLE = "complete"  # a checkpoint without this file was cut off while being written


class MarkWhole(TrainerCallback):
    """Marks a checkpoint once all of it is written."""

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Called by the Trainer after it has written a checkpoint."""
        if state.is_world_process_zero:
            (Path(args.output_dir) / f"checkpoint-{state.global_step}" / _WHOLE).touch()


class SaveInTime(TrainerCallback):
    """Asks for a checkpoint when the last one is too old, however long a step takes.

    That is a minute, or more where writing one takes long, so that a thirtieth of the time is spent
    on it at most. Of one process only: several would have to agree on the step, and theirs are
    short.

    Args:
        least: Seconds between two checkpoints at least.
        most: How old the last one may be at most, seconds.
    """

    def __init__(self, least: float = 60.0, most: float = 600.0) -> None:
        self._least, self._most = least, most
        self._wait = least
        self._saved = self._asked = time.monotonic()

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Called by the Trainer before the first step."""
        self._saved = self._asked = time.monotonic()

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Called by the Trainer after each step."""
        self._asked = time.monotonic()
        if args.world_size == 1 and self._asked - self._saved >= self._wait:
            control.should_save = True

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Called by the Trainer after it has written a checkpoint."""
        self._saved = time.monotonic()
        writing = self._saved - self._asked
        self._wait = min(max(self._least, _TIMES_WRITING * writing), self._most)


def last_whole(folder: Path) -> str | None:
    """Return the newest checkpoint that was written to its end; remove those that were not."""
    whole = []
    for checkpoint in folder.glob("checkpoint-*"):
        if (checkpoint / _WHOLE).exists():
            whole.append((int(checkpoint.name.rsplit("-", 1)[1]), checkpoint))
        else:
            shutil.rmtree(checkpoint)
    return str(max(whole)[1]) if whole else None
