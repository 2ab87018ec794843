"""Prompts that begin alike, laid out in one row so that their common beginning is read once.

After the beginning come the prompts' own tokens, branch after branch; a token sees the beginning
and what stands before it in its own branch, as in a tree of guesses (SpecInfer, Miao et al.,
arXiv 2305.09781).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

_MULTIPLE = 16  # widths that attention kernels like


@dataclass(frozen=True, slots=True)
class Branches:
    """One row.

    Attributes:
        tokens: The common beginning, then each prompt's rest.
        positions: Position of each token in its own prompt.
        branch: 0 for the beginning, else the number of the prompt, from 1.
        ends: Place of each prompt's last token.
    """

    tokens: list[int]
    positions: list[int]
    branch: list[int]
    ends: list[int]


def branched(prompts: Sequence[list[int]]) -> Branches:
    """Lay out prompts of at least one token each; each keeps at least its last for itself."""
    shortest = min(map(len, prompts)) - 1
    shared = next(
        (n for n in range(shortest) if any(p[n] != prompts[0][n] for p in prompts)), shortest
    )
    tokens = prompts[0][:shared]
    positions = list(range(shared))
    branch = [0] * shared
    ends = []
    for number, prompt in enumerate(prompts, 1):
        tokens = tokens + prompt[shared:]
        positions += range(shared, len(prompt))
        branch += [number] * (len(prompt) - shared)
        ends.append(len(tokens) - 1)
    return Branches(tokens, positions, branch, ends)


def next_words(model: Any, rows: Sequence[Branches], pad: int) -> list[Any]:
    """Return, for each row, the log-probabilities (prompts, V) of what follows each prompt."""
    width = max(len(row.tokens) for row in rows)
    width += -width % _MULTIPLE

    def padded(name: str, filler: int) -> Any:
        lists = [getattr(row, name) for row in rows]
        filled = [values + [filler] * (width - len(values)) for values in lists]
        return torch.tensor(filled, device=model.device)  # (B, W)

    branch = padded("branch", -1)
    # Padding sees only itself, since a row of attention that sees nothing is not a number.
    seen = (branch[:, None, :] == 0) | (branch[:, None, :] == branch[:, :, None])
    seen &= (branch[:, None, :] >= 0) | torch.eye(width, dtype=torch.bool, device=model.device)
    seen = seen.tril()
    wanted = sorted({end for row in rows for end in row.ends})
    logits = model(
        padded("tokens", pad),
        attention_mask=seen[:, None],  # (B, 1, W, W)
        position_ids=padded("positions", 0),
        use_cache=False,
        logits_to_keep=torch.tensor(wanted, device=model.device),
    ).logits  # (B, ends, V)
    place = {end: n for n, end in enumerate(wanted)}
    return [
        logits[number, [place[end] for end in row.ends]].float().log_softmax(-1)
        for number, row in enumerate(rows)
    ]
