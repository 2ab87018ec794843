"""How far a model in training has moved from its base, as a loss."""

from __future__ import annotations

import copy
from contextlib import nullcontext
from typing import Any

import torch
from peft import PeftModel
from torch import Tensor
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from cybersecqwen.core.errors import InputError
from cybersecqwen.training.specialist.rows import NO_LABEL

TOKENS_AT_ONCE = 512
"""Learnt tokens for which both models' logits over the vocabulary are held."""

# What some families do with their logits after the last product.
_CHANGED_LOGITS = (
    *("final_logit_softcapping", "logit_scale", "logits_scaling"),
    *("lm_head_multiplier", "output_multiplier"),
)


def require_plain_logits(config: Any) -> None:
    """See that a model's logits are the product of its last states and its words.

    Raises:
        InputError: Its family scales or caps them.
    """
    for name in _CHANGED_LOGITS:
        if getattr(config, name, None) not in (None, 1, 1.0):
            raise InputError(
                f"replay_loss: distribution: not for models that have {name}, such as this "
                f"{config.model_type}; take `words`"
            )


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
    former = model if base is None else base

    def states(of: Any) -> Tensor:  # (learnt tokens, D)
        out = _plain(of).base_model(input_ids=batch["input_ids"], use_cache=False)
        last: Tensor = out.last_hidden_state[:, :-1][learnt]
        return last

    with torch.no_grad(), model.disable_adapter() if base is None else nullcontext():
        wanted = states(former)
    found = states(model)
    heads = [_plain(of).get_output_embeddings() for of in (model, former)]

    def divergence(found: Tensor, wanted: Tensor) -> Tensor:
        shares = [
            head(part).float().log_softmax(-1)  # (tile, V), logarithms
            for head, part in zip(heads, (found, wanted), strict=True)
        ]
        return functional.kl_div(shares[0], shares[1].detach(), reduction="sum", log_target=True)

    # A tile's logits are computed again on the way back, not kept.
    tiles = zip(found.split(TOKENS_AT_ONCE), wanted.split(TOKENS_AT_ONCE), strict=True)
    return torch.stack([checkpoint(divergence, *tile, use_reentrant=False) for tile in tiles]).sum()


def _plain(model: Any) -> Any:
    """Return a model as transformers has it, under whose layers an adapter may lie."""
    return model.get_base_model() if isinstance(model, PeftModel) else model
