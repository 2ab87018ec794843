"""An adapter nearer its base, or with fewer columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from cybersecqwen.core.errors import InputError

_DOWN, _UP = ".lora_A.", ".lora_B."


def scaled(settings: Mapping[str, Any], factor: float) -> dict[str, Any]:
    """Return an adapter's settings by which its product counts ``factor`` times as much.

    That is averaging the weights with the base's: ``factor`` of the fine-tuned ones, the rest of
    the base's (WiSE-FT: Wortsman et al., CVPR 2022, arXiv 2109.01903).

    Raises:
        InputError: Its modules have scalings of their own.
    """
    if settings.get("alpha_pattern") or settings.get("rank_pattern"):
        raise InputError("an adapter whose modules differ in rank or alpha cannot be scaled")
    return {**settings, "lora_alpha": settings["lora_alpha"] * factor}


def cut_to_rank(
    weights: Mapping[str, Tensor], settings: Mapping[str, Any], rank: int
) -> tuple[dict[str, Tensor], dict[str, Any], float]:
    """Return an adapter whose products are the nearest of a lower rank (Eckart and Young, 1936).

    Args:
        weights: By name: ``lora_A``, (R, I), and ``lora_B``, (O, R), of each projection.
        settings: Its ``adapter_config.json``.
        rank: Columns to keep; at most R.

    Returns:
        Weights, float32, with each scale shared by both matrices; settings; and the share of the
        products' squared norm that is kept.

    Raises:
        InputError: The rank is no smaller than it is, or matrices have no partner.
    """
    held = int(settings["r"])
    if not 1 <= rank <= held:
        raise InputError(f"an adapter of rank {held} cannot be cut to rank {rank}")
    factor = scaled(settings, 1.0)["lora_alpha"] / held
    made: dict[str, Tensor] = {}
    kept = whole = 0.0
    for name in (name for name in weights if _DOWN in name):
        other = name.replace(_DOWN, _UP)
        if other not in weights:
            raise InputError(f"{name}: its partner {other} is not there")
        down, up = weights[name].float(), weights[other].float() * factor
        left, upper = torch.linalg.qr(up)  # (O, R), (R, R)
        right, lower = torch.linalg.qr(down.T)  # (I, R), (R, R)
        u, values, v = torch.linalg.svd(upper @ lower.T)
        whole += float(values.square().sum())
        kept += float(values[:rank].square().sum())
        roots = values[:rank].sqrt()
        made[other] = (left @ u[:, :rank] * roots).contiguous()
        made[name] = (roots[:, None] * v[:rank] @ right.T).contiguous()
    return made, {**settings, "r": rank, "lora_alpha": rank}, kept / max(whole, 1e-30)
