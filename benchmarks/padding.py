"""How many passes a fine-tuning's steps take, and how much of them is padding.

    python benchmarks/padding.py CORPUS --base DIR --batch 128 --overhead 9000

Counts what ``train lora`` makes of a corpus with rows as they come and with ``group_by_length``,
without training: a base's tokenizer is all that is read of it. A pass's launching is counted as so
many tokens (on an H100 about 9,000 for a base of half a billion parameters, 2,900 for 1.5).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from transformers import AutoTokenizer

from cybersecqwen.core.model_files import NO_CODE
from cybersecqwen.training.lora.examples import encode_examples, read_chat_corpus
from cybersecqwen.training.lora.packing import EpochBatches, TokenRow, make_rows, micro_batches
from cybersecqwen.training.recipes.lora import LoraRecipe, Schedule


def passes_and_padding(
    rows: Sequence[TokenRow], batch: int, at_once: int, overhead: int, *, grouped: bool
) -> tuple[float, float]:
    """Return passes a step, and tokens of padding for each token, over one epoch."""
    lengths = [len(row) for row in rows]
    steps = EpochBatches(len(rows), batch, 42, lambda: 0, lengths=lengths if grouped else None)
    passes = padded = 0
    for step in steps:
        parts = micro_batches([rows[row] for row in step], at_once, overhead)
        passes += len(parts)
        padded += sum(len(part) * max(map(len, part)) for part in parts)
    return passes / len(steps), padded / sum(lengths) - 1


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
    for grouped in (False, True):
        passes, padding = passes_and_padding(
            rows, given.batch, given.tokens_at_once, given.overhead, grouped=grouped
        )
        order = "of like length" if grouped else "as they come"
        cost = 1 + padding + passes * given.overhead * steps / sum(map(len, rows))
        print(
            f"{len(rows):,} rows {order}: {passes:.2f} passes a step, {padding:.1%} padding; a "
            f"token costs {cost:.2f}"
        )


if __name__ == "__main__":
    main()
