"""Continuations that begin alike, laid out so that their common beginnings are read once."""

from __future__ import annotations

from typing import Any


class TokenTree:
    """Continuations as a tree of tokens, without the leaves, which nothing follows.

    Attributes:
        tokens: N of them, parents first.
        depths: Number of tokens before each.
        ancestors: (N, N), whether the column is the row itself or stands before it.
        paths: For each continuation, the node before and the token itself, from its second on.
    """

    def __init__(self, ends: list[list[int]]) -> None:
        self.tokens: list[int] = []
        self.depths: list[int] = []
        self.paths: list[list[tuple[int, int]]] = []
        lines: list[list[int]] = []
        known: dict[tuple[int, ...], int] = {}
        for end in ends:
            path, line = [], list[int]()
            for depth, token in enumerate(end[:-1]):
                key = tuple(end[: depth + 1])
                if key not in known:
                    known[key] = len(self.tokens)
                    self.tokens.append(token)
                    self.depths.append(depth)
                    lines.append([*line, known[key]])
                line.append(known[key])
                path.append((known[key], end[depth + 1]))
            self.paths.append(path)
        self.ancestors = [[False] * len(lines) for _ in lines]
        for row, seen in zip(self.ancestors, lines, strict=True):
            for place in seen:
                row[place] = True


def takes_trees(config: Any) -> bool:
    """Whether every layer attends to all that a mask allows, as PyTorch's own attention does."""
    if config._attn_implementation != "sdpa" or getattr(config, "use_sliding_window", False):
        return False
    kinds = getattr(config, "layer_types", None)
    if kinds is None:
        return getattr(config, "sliding_window", None) is None
    return set(kinds) == {"full_attention"}
