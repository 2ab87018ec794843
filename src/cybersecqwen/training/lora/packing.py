"""From examples to rows, and from a step's rows to what the memory holds at once.

A row is what the schedule counts: an example, or several that share ``max_tokens``. A micro-batch
is some rows of one step. Gradients add up over a step's micro-batches, so how rows are split among
them changes nothing but speed and memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cybersecqwen.training.lora.examples import Encoded
from cybersecqwen.training.recipes.lora import LoraRecipe
from cybersecqwen.training.specialist.rows import NO_LABEL


@dataclass(frozen=True)
class TokenRow:
    """Tokens that stand in one line, T of them.

    Attributes:
        ids: (T,) int32.
        labels: (T,) int32: the token itself where it is learnt, else ``NO_LABEL``.
        starts: Where each example begins that must not see the ones before it; the first is 0.
        final: (T,) bool, tokens that spell a short final answer.
        kind: Of the conversation, in a row of one example.
    """

    ids: NDArray[np.int32]
    labels: NDArray[np.int32]
    starts: tuple[int, ...] = (0,)
    final: NDArray[np.bool_] | None = None
    kind: str = ""

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def learnt(self) -> int:
        """Tokens that are learnt; an example's first follows nothing and so is none of them."""
        firsts = self.labels[list(self.starts)] != NO_LABEL
        return int((self.labels != NO_LABEL).sum() - firsts.sum())

    def weight(self, final_weight: float) -> float:
        """Return how many tokens the learnt ones count as, those of final answers more or less."""
        if self.final is None or final_weight == 1:
            return float(self.learnt)
        counted = self.labels != NO_LABEL
        counted[list(self.starts)] = False
        return self.learnt + (final_weight - 1) * int((counted & self.final).sum())


@dataclass(frozen=True)
class TokenRows:
    """All rows of a corpus, and how many examples were too long to be among them."""

    rows: list[TokenRow]
    too_long: int


def make_rows(examples: Sequence[Encoded], recipe: LoraRecipe) -> TokenRows:
    """Turn examples into rows as the recipe says."""
    if recipe.packing == "wrapped":
        return TokenRows(_wrapped(examples, recipe), 0)
    fitting = [example for example in examples if len(example) <= recipe.max_tokens]
    singles = [_row(example, recipe) for example in fitting]
    if recipe.packing == "blocks":
        singles = [_joined(group) for group in _filled(singles, recipe.max_tokens)]
    return TokenRows(singles, len(examples) - len(fitting))


def _row(example: Encoded, recipe: LoraRecipe) -> TokenRow:
    labels = example.ids.copy()
    if recipe.loss == "answer":
        labels[: example.answer] = NO_LABEL
    final = np.zeros(len(example), dtype=np.bool_)
    final[example.final] = True
    return TokenRow(example.ids, labels, final=final, kind=example.kind)


def _joined(rows: Sequence[TokenRow]) -> TokenRow:
    starts = np.cumsum([0, *(len(row) for row in rows)])
    finals = [np.zeros(len(row), np.bool_) if row.final is None else row.final for row in rows]
    return TokenRow(
        np.concatenate([row.ids for row in rows]),
        np.concatenate([row.labels for row in rows]),
        tuple(starts[:-1].tolist()),
        np.concatenate(finals),
    )


def _wrapped(examples: Sequence[Encoded], recipe: LoraRecipe) -> list[TokenRow]:
    # In an order of their own, since a corpus is often sorted and neighbours see each other.
    order = np.random.default_rng(recipe.seed).permutation(len(examples))
    rows = [_row(examples[place], recipe) for place in order]
    whole = _joined(rows)
    width = recipe.max_tokens
    cuts = range(0, len(whole), width)
    parts = [slice(a, a + width) for a in cuts]
    finals = whole.final if whole.final is not None else np.zeros(len(whole), np.bool_)
    return [TokenRow(whole.ids[p], whole.labels[p], final=finals[p]) for p in parts]


def _filled(rows: Sequence[TokenRow], capacity: int) -> list[list[TokenRow]]:
    """Put rows into as few groups of ``capacity`` tokens as best-fit decreasing finds.

    Groups are kept by the room they have left, so that each row costs a look at the lengths, not
    at all groups.
    """
    by_room: dict[int, list[list[TokenRow]]] = {}
    groups: list[list[TokenRow]] = []
    for row in sorted(rows, key=len, reverse=True):
        room = min((r for r in by_room if r >= len(row)), default=None)
        if room is None:
            group: list[TokenRow] = []
            groups.append(group)
            room = capacity
        else:
            group = by_room[room].pop()
            if not by_room[room]:
                del by_room[room]
        group.append(row)
        left = room - len(row)
        if left:
            by_room.setdefault(left, []).append(group)
    return groups


_STRATA = 8  # parts of like length that each step has its share of, where steps are stratified
_WINDOW = 16  # steps whose rows are sorted by length together


class EpochBatches:
    """TokenRow numbers of each optimizer step, in an order that the seed and the epoch decide.

    So a resumed run meets an epoch's rows as the unbroken one did.

    Args:
        rows: Number of rows.
        batch: TokenRows a step; an epoch's last step has what is left.
        seed: Seed of the order.
        epoch: Tells which epoch it is, from 0, when iteration begins.
        stages: Number of each row's stage, for an epoch of stages one after the other.
        lengths: Tokens of each row, for steps stratified by length; no stages then.
    """

    def __init__(
        self,
        rows: int,
        batch: int,
        seed: int,
        epoch: Callable[[], int],
        stages: Sequence[int] | None = None,
        lengths: Sequence[int] | None = None,
    ) -> None:
        self._rows = rows
        self._batch = batch
        self._seed = seed
        self._epoch = epoch
        self._stages = None if stages is None else np.array(stages)
        self._lengths = None if lengths is None else np.array(lengths)

    def __len__(self) -> int:
        return (self._rows + self._batch - 1) // self._batch

    def __iter__(self) -> Iterator[list[int]]:
        draw = np.random.default_rng([self._seed, self._epoch()])
        order = draw.permutation(self._rows)
        if self._stages is not None:
            order = order[np.argsort(self._stages[order], kind="stable")]
        if self._lengths is not None:
            order = _stratified(order, self._lengths[order], self._batch, draw)
        for start in range(0, self._rows, self._batch):
            yield order[start : start + self._batch].tolist()


def _stratified(
    order: NDArray[np.int64], lengths: NDArray[np.int64], batch: int, draw: np.random.Generator
) -> NDArray[np.int64]:
    """Return rows in an order whose steps have as many rows of each of ``_STRATA`` lengths.

    The rows of a window of steps are sorted and cut into strata, and those into as many pieces as
    there are steps; each step gets a piece of each stratum, drawn at random. What a step has of a
    stratum is of like length, so little of a pass is padding, and all steps are alike. The last
    window, where it is not whole, stays as it is.

    Args:
        order: (N,) numbers of rows.
        lengths: (N,) their tokens.
        batch: Rows a step.
        draw: Source of randomness.
    """
    made = order.copy()
    sizes = [len(part) for part in np.array_split(np.arange(batch), min(_STRATA, batch))]
    for start in range(0, len(order) - _WINDOW * batch + 1, _WINDOW * batch):
        window = slice(start, start + _WINDOW * batch)
        by_length = order[window][np.argsort(lengths[window], kind="stable")]
        ends = np.cumsum([_WINDOW * size for size in sizes])[:-1]
        pieces = [
            draw.permutation(stratum.reshape(_WINDOW, -1)) for stratum in np.split(by_length, ends)
        ]
        made[window] = np.concatenate(pieces, axis=1).ravel()
    return made


def micro_batches(
    rows: Sequence[TokenRow], tokens_at_once: int, launch_overhead_tokens: int = 0
) -> list[list[TokenRow]]:
    """Split a step's rows, longest first, so that they take the least time and fit the memory.

    TokenRows of like length come together, and all of a part are padded to its longest. Parts cost
    their tokens, padding included, and ``launch_overhead_tokens`` each; of all ways to cut the
    sorted rows, the cheapest is taken (by dynamic programming over where the last part begins).

    Args:
        rows: N of them.
        tokens_at_once: Tokens of a part at most, padding included. A single row may be longer; it
            is then alone.
        launch_overhead_tokens: What a pass through the model costs beside its tokens, counted in
            tokens.
    """
    ordered = sorted(rows, key=len, reverse=True)
    widths = np.array([len(row) for row in ordered], dtype=np.int64)  # (N,)
    least = np.zeros(len(ordered) + 1, dtype=np.int64)  # cost of the first n rows
    begins = np.zeros(len(ordered) + 1, dtype=np.int64)  # where their last part begins
    for end in range(1, len(ordered) + 1):
        sizes = widths[:end] * np.arange(end, 0, -1)  # (end,) of a part from each row to this one
        costs = least[:end] + sizes + launch_overhead_tokens
        costs[:-1][sizes[:-1] > tokens_at_once] = np.iinfo(np.int64).max
        # Of equal costs the longest part: fewer passes.
        begins[end] = np.argmin(costs)
        least[end] = costs[begins[end]]
    parts: list[list[TokenRow]] = []
    end = len(ordered)
    while end:
        parts.append(ordered[begins[end] : end])
        end = int(begins[end])
    return parts[::-1]


def unpack(row: TokenRow) -> list[TokenRow]:
    """Return each example of a row as a row of its own.

    They do not see each other in it, so this changes neither what is learnt nor its gradient.
    """
    if len(row.starts) == 1:
        return [row]
    spans = zip(row.starts, [*row.starts[1:], len(row)], strict=True)
    return [
        TokenRow(
            row.ids[start:end],
            row.labels[start:end],
            final=None if row.final is None else row.final[start:end],
        )
        for start, end in spans
    ]


def collate(
    rows: Sequence[TokenRow], *, flat: bool, width_multiple: int = 1, final_weight: float = 1
) -> dict[str, Any]:
    """Return a micro-batch as the model's arguments.

    Padding is on the right and needs no mask: under causal attention no token sees what comes
    after it, and what padding itself computes is never read. Laid out flat, each example's
    positions begin at 0, and FlashAttention-2 stops at its beginning.

    Args:
        rows: B of them, the longest with T tokens; of one example each, unless flat.
        flat: Lay all rows out as one, without padding, for FlashAttention-2.
        width_multiple: T is brought to a multiple of it by padding, unless flat.
        final_weight: How many tokens one of a short final answer counts as.

    Returns:
        ``input_ids`` and ``labels`` of shape (B, T), or (1, sum of T) when flat, int64; when
        flat, ``position_ids`` likewise; where final answers count otherwise than other tokens,
        ``weights`` likewise, float32.
    """
    if flat:
        rows = [_laid_out(rows)]
    width = max(map(len, rows))
    if not flat:
        width += -width % width_multiple
    ids = np.zeros((len(rows), width), dtype=np.int64)
    labels = np.full((len(rows), width), NO_LABEL, dtype=np.int64)
    for place, row in enumerate(rows):
        ids[place, : len(row)] = row.ids
        labels[place, : len(row)] = row.labels
        labels[place, list(row.starts)] = NO_LABEL  # nothing before it belongs to it
    made = {"input_ids": torch.from_numpy(ids), "labels": torch.from_numpy(labels)}
    if final_weight != 1:
        weights = np.ones((len(rows), width), dtype=np.float32)
        for place, row in enumerate(rows):
            if row.final is not None:
                weights[place, : len(row)][row.final] = final_weight
        made["weights"] = torch.from_numpy(weights)
    if flat:
        starts = np.array(rows[0].starts)
        lengths = np.diff([*starts, width])
        made["position_ids"] = torch.from_numpy(np.arange(width) - np.repeat(starts, lengths))[None]
    return made


def _laid_out(rows: Sequence[TokenRow]) -> TokenRow:
    joined = _joined(rows)
    starts: list[int] = []
    before = 0
    for row in rows:
        starts.extend(before + start for start in row.starts)
        before += len(row)
    return TokenRow(joined.ids, joined.labels, tuple(starts), joined.final)
