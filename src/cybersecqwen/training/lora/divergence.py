"""How far a model in training has moved from its base, as a loss."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from cybersecqwen.training.specialist.rows import NO_LABEL

TOKENS_AT_ONCE = 1_024
"""Tokens of a micro-batch, padding included: both models' logits over the vocabulary are held."""


def summed_divergence(model: Any, batch: dict[str, Tensor]) -> Tensor:
    """Return Kullback and Leibler's divergence of a model from its base, nats.

    Summed over the learnt tokens: at each, the base's distribution over what comes there is what
    the model should have.

    Args:
        model: A base with its adapters (PEFT).
        batch: ``input_ids`` and ``labels``, (B, T), padded on the right.
    """
    learnt = batch["labels"][:, 1:] != NO_LABEL  # (B, T - 1)
    columns = learnt.any(0).nonzero()[:, 0]

    def shares() -> Tensor:  # (learnt tokens, V), logarithms
        out = model(input_ids=batch["input_ids"], use_cache=False, logits_to_keep=columns)
        logits: Tensor = out.logits[learnt[:, columns]]
        return logits.float().log_softmax(-1)

    with torch.no_grad(), model.disable_adapter():
        wanted = shares()
    return functional.kl_div(shares(), wanted, reduction="sum", log_target=True)
