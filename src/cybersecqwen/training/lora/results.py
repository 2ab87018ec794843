"""What a fine-tuning measured of itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

RESULTS_FILE = "training.json"


class LoraResults(msgspec.Struct, frozen=True):
    """A fine-tuning's numbers.

    Attributes:
        steps: Optimizer steps.
        loss: Mean over the last tenth of the steps, nats a learnt token.
        seconds: Wall time of all launches together, validation included.
        tokens: Seen, over all epochs, padding left out.
        tokens_per_second: Of the last launch, over all devices, validation included.
        peak_bytes: Most memory held by the last launch's main process: on the GPU where there is
            one, else in all.
        validation: Of the last validation: ``loss`` (nats a token), ``token_accuracy`` and
            ``answer_accuracy`` (shares, 0 to 1); empty without validation rows.
    """

    steps: int
    loss: float
    seconds: float
    tokens: int
    tokens_per_second: float
    peak_bytes: int
    validation: dict[str, float]


def summarise(
    curve: Sequence[dict[str, Any]], peak_bytes: int, tokens_per_second: float
) -> LoraResults:
    """Sum up a log of steps."""
    steps = [entry for entry in curve if "loss" in entry]
    tail = steps[-max(1, len(steps) // 10) :]
    checks = [entry for entry in curve if "eval_loss" in entry]
    measured = checks[-1] if checks else {}
    return LoraResults(
        steps=int(steps[-1]["step"]),
        loss=sum(entry["loss"] for entry in tail) / len(tail),
        seconds=max(entry.get("seconds", 0.0) for entry in curve),
        tokens=max(int(entry.get("tokens", 0)) for entry in curve),
        tokens_per_second=round(tokens_per_second, 1),
        peak_bytes=peak_bytes,
        validation={
            name: measured[f"eval_{name}"]
            for name in ("loss", "token_accuracy", "answer_accuracy")
            if f"eval_{name}" in measured
        },
    )
