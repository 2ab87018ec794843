"""Random numbers of its own for each answer of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers import LogitsProcessor

from cybersecqwen.core.chat import Sampling


class SeededSampling(LogitsProcessor):
    """Draws each row's token with the row's own random numbers, and leaves only that token.

    Temperature first, then the nucleus (Holtzman et al., arXiv 1904.09751), then the inverse of
    the cumulative distribution at a uniform number. PyTorch's generator would be shared by the
    batch, and an answer would change with its neighbours.
    """

    def __init__(self, sampling: Sampling, seeds: Sequence[int]) -> None:
        self._sampling = sampling
        self._step = 0
        draws = [
            torch.rand(
                sampling.max_tokens,
                generator=torch.Generator().manual_seed(seed),
                dtype=torch.float64,
            )
            for seed in seeds
        ]
        self._uniforms = torch.stack(draws)  # (B, T)

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """Return ``scores`` (B, V) with all but the drawn token at minus infinity."""
        ordered = (scores.float() / self._sampling.temperature).softmax(-1).double()
        words = None
        if self._sampling.top_p < 1:  # the whole distribution needs no order, which takes long
            ordered, words = ordered.sort(dim=-1, descending=True)
            before = ordered.cumsum(-1) - ordered
            ordered = ordered.masked_fill(before >= self._sampling.top_p, 0.0)
            ordered[:, 0] = ordered[:, 0].clamp_min(1e-300)  # top_p 0 still leaves the likeliest
        mass = ordered.cumsum(-1)
        uniform = self._uniforms[:, self._step, None].to(scores.device)
        self._step += 1
        whole = mass[:, -1:].contiguous()
        place = torch.searchsorted(mass, uniform * whole, right=True)
        # Rounding may point past the end, where nothing has a probability.
        last = torch.searchsorted(mass, whole)
        chosen = torch.minimum(place, last)  # (B, 1)
        if words is not None:
            chosen = words.gather(1, chosen)
        return torch.full_like(scores, float("-inf")).scatter(1, chosen, 0.0)
