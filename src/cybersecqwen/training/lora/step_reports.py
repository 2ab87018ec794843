"""Where a fine-tuning is, told after each step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments


@dataclass(frozen=True)
class Progress:
    """Where a fine-tuning is.

    Attributes:
        step: Optimizer steps done.
        steps: Total number of optimizer steps.
        loss: Of the last step, nats a learnt token.
        tokens_per_second: Of this process's launch, over all devices, padding left out.
    """

    step: int
    steps: int
    loss: float
    tokens_per_second: float


Report = Callable[[Progress], None]


class StepReports(TrainerCallback):
    """Tells when training begins, and reports each step.

    Args:
        begin: Called with the state that training begins from.
        speed: Returns tokens a second.
        report: Called after each step, if at all.
    """

    def __init__(
        self,
        begin: Callable[[TrainerState], None],
        speed: Callable[[], float],
        report: Report | None,
    ) -> None:
        self._begin = begin
        self._speed = speed
        self._report = report

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Called by the Trainer, after it has read a checkpoint that it goes on from."""
        self._begin(state)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, float] | None = None,
        **_: Any,
    ) -> None:
        """Called by the Trainer after each step and each validation."""
        if self._report and state.is_world_process_zero and logs and "loss" in logs:
            at = Progress(state.global_step, state.max_steps, logs["loss"], self._speed())
            self._report(at)
