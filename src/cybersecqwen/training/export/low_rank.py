"""An adapter nearer its base, added to others, with fewer columns, or made of matrices."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from cybersecqwen.core.errors import InputError

Weights = Mapping[str, Tensor]
Settings = Mapping[str, Any]
Factors = tuple[Tensor, Tensor, Tensor]
"""A matrix (O, I) in parts: left vectors (O, R), singular values (R,), right vectors (R, I)."""

_DOWN, _UP = ".lora_A.", ".lora_B."
_PREFIX = "base_model.model."


def scaled(settings: Settings, factor: float) -> dict[str, Any]:
    """Return an adapter's settings by which its product counts ``factor`` times as much.

    That is averaging the weights with the base's: ``factor`` of the fine-tuned ones, the rest of
    the base's (WiSE-FT: Wortsman et al., CVPR 2022, arXiv 2109.01903).
    """
    own = {name: alpha * factor for name, alpha in (settings.get("alpha_pattern") or {}).items()}
    return {**settings, "lora_alpha": settings["lora_alpha"] * factor, "alpha_pattern": own}


def factor_of(settings: Settings, module: str) -> float:
    """Return what the product of a module's matrices is multiplied by: its alpha over its rank."""
    alpha = of_module(settings.get("alpha_pattern"), module, settings["lora_alpha"])
    return float(alpha) / float(of_module(settings.get("rank_pattern"), module, settings["r"]))


def of_module(pattern: Mapping[str, float] | None, module: str, otherwise: float) -> float:
    """Return a module's own setting, found as PEFT does: by an expression for its name's end."""
    found = (own for end, own in (pattern or {}).items() if re.match(rf"(.*\.)?({end})$", module))
    return next(found, otherwise)


def module_of(name: str) -> str:
    """Return the module that a tensor's name speaks of, as an adapter's settings name it."""
    return name.removeprefix(_PREFIX).partition(".lora_")[0]


def summed(adapters: Sequence[tuple[Weights, Settings]]) -> tuple[dict[str, Tensor], Settings]:
    """Return one adapter whose products are the sums of several adapters' products.

    Averaging fine-tunings of one base often beats each of them (model soups: Wortsman et al., ICML
    2022, arXiv 2203.05482). Ranks add up.

    Raises:
        InputError: They do not adapt the same modules, or matrices have no partner.
    """
    first, settings = adapters[0]
    if any(set(weights) != set(first) for weights, _ in adapters):
        raise InputError("adapters of unlike modules cannot be added")
    made: dict[str, Tensor] = {}
    for name, other in _pairs(first):
        module = module_of(name)
        made[name] = torch.cat([weights[name].float() for weights, _ in adapters])
        made[other] = torch.cat(
            [weights[other].float() * factor_of(own, module) for weights, own in adapters], dim=1
        )
    ranks = {module_of(name): len(made[name]) for name, _ in _pairs(first)}
    return made, _with_ranks(settings, ranks, max(ranks.values()))


def cut_to_rank(
    weights: Weights, settings: Settings, rank: int
) -> tuple[dict[str, Tensor], Settings, float]:
    """Return an adapter of the size of a lower rank whose products are near its own.

    Each product becomes the nearest of its rank (Eckart and Young, 1936). Ranks differ: the
    singular values of all products compete, by their square for each number that they take, for
    as many numbers as ``rank`` columns everywhere would be. Each product keeps one at least.

    Args:
        weights: By name: ``lora_A``, (R, I), and ``lora_B``, (O, R), of each projection.
        settings: Its ``adapter_config.json``.
        rank: Columns to keep on average; at most R.

    Returns:
        Weights, float32, with each scale shared by both matrices; settings; and the share of the
        products' squared norm that is kept.

    Raises:
        InputError: The rank is no smaller than it is, or matrices have no partner.
    """
    held = max(len(weights[name]) for name, _ in _pairs(weights))
    if not 1 <= rank <= held:
        raise InputError(f"an adapter of rank {held} cannot be cut to rank {rank}")
    parts = {
        module_of(name): _decomposed(weights, settings, name, other)
        for name, other in _pairs(weights)
    }
    whole = sum(float(values.square().sum()) for _, values, _ in parts.values())
    made, cut, kept = assembled(parts, settings, rank)
    return made, cut, kept / max(whole, 1e-30)


def assembled(
    parts: Mapping[str, Factors], settings: Settings, rank: int
) -> tuple[dict[str, Tensor], Settings, float]:
    """Return the adapter of the size of a rank whose products are nearest to some matrices.

    Args:
        parts: Of each matrix, by its module.
        settings: What else its ``adapter_config.json`` is to say.
        rank: Columns on average, as for ``cut_to_rank``.

    Returns:
        Weights, settings, and the products' squared norm.
    """
    ranks = _ranks(parts, rank)
    made: dict[str, Tensor] = {}
    kept = 0.0
    for module, (left, values, right) in parts.items():
        roots = values[: ranks[module]].sqrt()
        kept += float(values[: ranks[module]].square().sum())
        made[f"{_PREFIX}{module}{_UP}weight"] = (left[:, : len(roots)] * roots).contiguous()
        made[f"{_PREFIX}{module}{_DOWN}weight"] = (
            roots[:, None] * right[: len(roots)]
        ).contiguous()
    return made, _with_ranks(settings, ranks, rank), kept


def leading_factors(matrix: Tensor, most: int) -> Factors:
    """Return the parts of a matrix that belong to its largest singular values, float32.

    From the eigenvectors of its product with itself: for the largest values as exact as a singular
    value decomposition, in double precision, and several times as fast.

    Args:
        matrix: (O, I).
        most: Singular values to return at most.
    """
    if len(matrix) > matrix.shape[1]:
        left, values, right = leading_factors(matrix.T, most)
        return right.T, values, left.T
    exact = matrix.double()
    squares, vectors = torch.linalg.eigh(exact @ exact.T)  # ascending
    values = squares.flip(0)[:most].clamp(min=0).sqrt()
    left = vectors.flip(1)[:, :most]
    right = (left.T @ exact) / values.clamp(min=1e-30)[:, None]
    return left.float(), values.float(), right.float()


def _pairs(weights: Weights) -> list[tuple[str, str]]:
    """Return the names of matrices that are multiplied with each other."""
    found = [(name, name.replace(_DOWN, _UP)) for name in weights if _DOWN in name]
    for name, other in found:
        if other not in weights:
            raise InputError(f"{name}: its partner {other} is not there")
    return found


def _decomposed(weights: Weights, settings: Settings, name: str, other: str) -> Factors:
    """Return the parts of a product."""
    down, up = weights[name].float(), weights[other].float()
    left, upper = torch.linalg.qr(up * factor_of(settings, module_of(name)))  # (O, R), (R, R)
    right, lower = torch.linalg.qr(down.T)  # (I, R), (R, R)
    u, values, v = torch.linalg.svd(upper @ lower.T)
    return left @ u, values, v @ right.T


def _ranks(parts: Mapping[str, Factors], rank: int) -> dict[str, int]:
    """Return how many singular values each product keeps."""
    size = {name: len(left) + right.shape[1] for name, (left, _, right) in parts.items()}
    worth = sorted(
        (-(float(value) ** 2) / size[name], name, place)
        for name, (_, values, _) in parts.items()
        for place, value in enumerate(values.tolist())
    )
    ranks = dict.fromkeys(parts, 1)
    left_over = (rank - 1) * sum(size.values())
    for _, name, place in worth:
        if place == ranks[name] and size[name] <= left_over:
            ranks[name] += 1
            left_over -= size[name]
    return ranks


def _with_ranks(settings: Settings, ranks: Mapping[str, int], rank: int) -> Settings:
    """Return settings of matrices whose product counts once, and what module has what rank."""
    own = {module: held for module, held in ranks.items() if held != rank}
    return {
        **settings,
        "r": rank,
        "lora_alpha": rank,
        "rank_pattern": own,
        "alpha_pattern": dict(own),
    }
