"""Which of many continuations is likeliest, reading as few tokens as that takes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Tokens = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ListedContinuation:
    """What a model says of the token after some tokens.

    Attributes:
        known: Natural-log probabilities of tokens.
        others: What no other token exceeds.
    """

    known: Mapping[int, float]
    others: float = 0.0


@dataclass(slots=True)
class _Sought:
    """A continuation, and how likely it can still be.

    Attributes:
        tokens: Its tokens.
        offset: Added to its log-probability where continuations are compared.
        total: Log-probability of the tokens before ``end``.
        end: Tokens that are known.
        bound: What its log-probability cannot exceed; its own once all tokens are known.
    """

    tokens: Tokens
    offset: float
    total: float = 0.0
    end: int = 0
    bound: float = 0.0

    @property
    def done(self) -> bool:
        return self.end == len(self.tokens)

    def update(self, read: Mapping[Tokens, ListedContinuation]) -> None:
        """Take in what has been read."""
        while not self.done and (found := read.get(self.tokens[: self.end])) is not None:
            token = self.tokens[self.end]
            if token not in found.known:
                self.bound = self.total + found.others
                return
            self.total += found.known[token]
            self.end += 1
        self.bound = self.total


def best_first(
    continuations: Sequence[Tokens],
    read: Callable[[Tokens, int], ListedContinuation],
    offsets: Sequence[float] = (),
    within: float = math.inf,
) -> list[float]:
    """Return the natural-log probabilities of continuations.

    A continuation is no likelier than its beginning, so the most promising is always read on, as
    in a best-first search (Hart, Nilsson and Raphael, IEEE Transactions on Systems Science and
    Cybernetics 4(2), 1968); those left behind by more than ``within`` are not read to their end.

    Args:
        continuations: Tokens of each; none is empty.
        read: Called with the tokens before and the token sought; says what follows them. The token
            sought must be among those known.
        offsets: Added to each log-probability where continuations are compared; none by default.
        within: Nats behind the best from where on an upper bound will do.

    Returns:
        The log-probabilities, without the offsets; upper bounds for those left behind.
    """
    listed: dict[Tokens, ListedContinuation] = {}
    sought = [
        _Sought(tokens, offset)
        for tokens, offset in zip(continuations, offsets or [0.0] * len(continuations), strict=True)
    ]
    best = -math.inf
    while open_ := [one for one in sought if not one.done]:
        one = max(open_, key=lambda other: other.bound + other.offset)
        if one.bound + one.offset < best - within:
            break
        before, token = one.tokens[: one.end], one.tokens[one.end]
        found = read(before, token)
        if before in listed:
            found = ListedContinuation({**listed[before].known, **found.known}, found.others)
        listed[before] = found
        for other in open_:
            other.update(listed)
            if other.done:
                best = max(best, other.bound + other.offset)
    return [one.bound for one in sought]
