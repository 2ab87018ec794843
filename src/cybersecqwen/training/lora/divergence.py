"""How far a model in training has moved from its base, as a loss."""

from __future__ import annotations

import copy
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from cybersecqwen.training.specialist.rows import NO_LABEL

TOKENS_AT_ONCE = 1_024
"""Tokens of a micro-batch, padding included: both models' logits over the vocabulary are held."""


def frozen_copy(model: Any, kind: torch.dtype) -> Any:
    """Return a model as it is now, which nothing will change, in a type."""
    return copy.deepcopy(model).to(kind).requires_grad_(requires_grad=False).eval()


def summed_divergence(model: Any, batch: dict[str, Tensor], base: Any = None) -> Tensor:
    """Return Kullback and Leibler's divergence of a model from its base, nats.

    Summed over the learnt tokens: at each, the base's distribution over what comes there is what
    the model should have.

    Args:
        model: A base with its adapters (PEFT), or one that was it and learns.
        batch: ``input_ids`` and ``labels``, (B, T), padded on the right.
        base: Where all weights learn: ``frozen_copy`` of the base; else it is ``model`` without
            its adapters.
    """
    learnt = batch["labels"][:, 1:] != NO_LABEL  # (B, T - 1)
    columns = learnt.any(0).nonzero()[:, 0]

    def shares(of: Any) -> Tensor:  # (learnt tokens, V), logarithms
        out = of(input_ids=batch["input_ids"], use_cache=False, logits_to_keep=columns)
        logits: Tensor = out.logits[learnt[:, columns]]
        return logits.float().log_softmax(-1)

    with torch.no_grad(), nullcontext() if base else model.disable_adapter():
        wanted = shares(base or model)
    return functional.kl_div(shares(model), wanted, reduction="sum", log_target=True)
