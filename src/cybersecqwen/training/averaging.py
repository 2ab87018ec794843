"""A running mean of the weights, kept beside a fit and taken in their place at its end.

The exponential moving average after Polyak and Juditsky, 1992. Early in a fit the mean is over
fewer steps than later, so that it does not remember where the weights began.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

_FILE = "average.pt"
_FIRST_STEPS = 9


class AverageWeights(TrainerCallback):
    """Keeps the mean of a model's weights over the steps of its fit.

    Args:
        decay: What remains of the mean at a step, 0 to 1.
        resumed: The checkpoint that the fit goes on from, if any.
    """

    def __init__(self, decay: float, resumed: str | None) -> None:
        self._decay = decay
        self._resumed = Path(resumed) / _FILE if resumed else None
        self._mean: list[Tensor] = []

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: nn.Module,
        **_: object,
    ) -> None:
        """Start from the weights, or from the mean that the checkpoint holds."""
        weights = _weights(model)
        self._mean = [weight.clone() for weight in weights]
        if self._resumed is not None:
            device = weights[0].device
            self._mean = torch.load(self._resumed, map_location=device, weights_only=True)

    def on_step_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: nn.Module,
        **_: object,
    ) -> None:
        """Take in the weights after a step."""
        steps = state.global_step
        decay = min(self._decay, steps / (steps + _FIRST_STEPS))
        for mean, weight in zip(self._mean, _weights(model), strict=True):
            mean.lerp_(weight, 1 - decay)

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Put the mean into the checkpoint that was written."""
        if state.is_world_process_zero:
            torch.save(
                self._mean, Path(args.output_dir) / f"checkpoint-{state.global_step}" / _FILE
            )

    def on_train_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: nn.Module,
        **_: object,
    ) -> None:
        """Give the model the mean."""
        with torch.no_grad():
            for weight, mean in zip(_weights(model), self._mean, strict=True):
                weight.copy_(mean)


def _weights(model: nn.Module) -> Sequence[Tensor]:
    return [weight.detach() for weight in model.parameters()]
