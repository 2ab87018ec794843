"""How many passes a fine-tuning's steps take, how much of them is padding, how unlike steps are.

    python benchmarks/padding.py CORPUS --base DIR --batch 128 --overhead 9000

Counts what ``train lora`` makes of a corpus with rows as they come and with
``stratify_by_length``, without training: a base's tokenizer is all that is read of it. A pass's
launching is counted as so many tokens (on an H100 about 9,000 for a base of half a billion
parameters, 2,900 for 1.5). Steps weigh the same whatever they hold, so the more the learnt tokens
of a step vary, the more a token's weight depends on its neighbours.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, pstdev

from transformers import AutoTokenizer

from cybersecqwen.core.model_files import NO_CODE
from cybersecqwen.training.lora.examples import encode_examples, read_chat_corpus
from cybersecqwen.training.lora.packing import EpochBatches, TokenRow, make_rows, micro_batches
from cybersecqwen.training.recipes.lora import LoraRecipe, Schedule


@dataclass(frozen=True)
class StepCount:
    """What an epoch's steps come to.

    Attributes:
        passes: Passes a step.
        padding: Tokens of padding for each token.
        spread: Standard deviation of the learnt tokens of a step, as a share of their mean.
    """

    passes: float
    padding: float
    spread: float


def count_steps(
    rows: Sequence[TokenRow], batch: int, at_once: int, overhead: int, *, stratified: bool
) -> StepCount:
    """Count the steps of one epoch; its last one, which may be short, is not in the spread."""
    lengths = [len(row) for row in rows]
    steps = EpochBatches(len(rows), batch, 42, lambda: 0, lengths=lengths if stratified else None)
    passes = padded = 0
    learnt = []
    for step in steps:
        parts = micro_batches([rows[row] for row in step], at_once, overhead)
        passes += len(parts)
        padded += sum(len(part) * max(map(len, part)) for part in parts)
        learnt.append(sum(rows[row].learnt for row in step))
    spread = pstdev(learnt[:-1]) / max(fmean(learnt[:-1]), 1) if len(learnt) > 1 else 0.0
    return StepCount(passes / len(steps), padded / sum(lengths) - 1, spread)


def main() -> None:
    """Print a line for each order of rows."""
    parser = argparse.ArgumentParser(description="passes and padding of a fine-tuning's steps")
    parser.add_argument("corpus", type=Path, help="folder of a corpus of conversations")
    parser.add_argument("--base", required=True, help="whose tokenizer and template are taken")
    parser.add_argument("--batch", type=int, default=128, help="rows a step (128)")
    parser.add_argument("--tokens-at-once", type=int, default=32_768, help="of a pass (32768)")
    parser.add_argument("--overhead", type=int, default=9_000, help="of a pass, tokens (9000)")
    parser.add_argument("--replay", type=int, default=0, help="repetitions of replay.jsonl (0)")
    given = parser.parse_args()
    fit = Schedule(epochs=1, batch=given.batch, learning_rate=1e-4)
    tokenizer = AutoTokenizer.from_pretrained(given.base, **NO_CODE)
    examples = encode_examples(tokenizer, read_chat_corpus(given.corpus, given.replay, {}).train)
    rows = make_rows(examples, LoraRecipe(name="padding", fit=fit)).rows
    steps = -(-len(rows) // given.batch)
    for stratified in (False, True):
        found = count_steps(
            rows, given.batch, given.tokens_at_once, given.overhead, stratified=stratified
        )
        order = "stratified" if stratified else "as they come"
        cost = 1 + found.padding + found.passes * given.overhead * steps / sum(map(len, rows))
        print(
            f"{len(rows):,} rows {order}: {found.passes:.2f} passes a step, {found.padding:.1%} "
            f"padding; a token costs {cost:.2f}; learnt tokens of a step vary by {found.spread:.1%}"
        )


if __name__ == "__main__":
    main()
