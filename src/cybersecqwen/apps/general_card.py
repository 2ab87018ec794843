"""The general check of a fine-tuned model and its base, written into the model's card."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from cybersecqwen.apps.evaluation import compare, measure_model_divergence, run_evaluation
from cybersecqwen.apps.progress import OnProgress, ignore
from cybersecqwen.core.files import write_text
from cybersecqwen.core.model_files import write_sums
from cybersecqwen.evaluation.general_check import TASK_NAME
from cybersecqwen.evaluation.plan import RunOptions

ANSWERED_TOGETHER = 32
"""Conversations that a model answers at once."""


def general_options(limit: int | None = None, max_tokens: int | None = None) -> RunOptions:
    """Return how the general check is put to a model for a card: once, written by ``ref``.

    Args:
        limit: Prompts at most; None for all.
        max_tokens: New tokens of an answer at most; None for the protocol's.
    """
    return RunOptions(
        TASK_NAME,
        protocol="ref",
        trials=1,
        limit=limit,
        max_tokens=max_tokens,
        backend={"batch_size": ANSWERED_TOGETHER},
    )


def add_general_check(
    folder: Path,
    base: str,
    *,
    limit: int | None = None,
    max_tokens: int | None = None,
    on_progress: OnProgress = ignore,
) -> None:
    """Put the general check to a fine-tuned model and its base, and say in its card what it cost.

    Both logs stay in the folder, ``general-base.jsonl`` and ``general-tuned.jsonl``.

    Args:
        folder: Folder that ``train lora`` made.
        base: Hub id or folder of its base.
        limit: Prompts at most; None for all.
        max_tokens: New tokens of an answer at most; None for the protocol's.
        on_progress: Told of each answer.

    Raises:
        MissingExtraError: The ``llm`` extra is not installed.
        ModelError: A model cannot be loaded or cannot answer.
    """
    from cybersecqwen.training.lora.card import CARD_FILE, UNCHECKED

    logs, asked = [], general_options(limit, max_tokens)
    for which, model in (("base", base), ("tuned", str(folder))):
        log = folder / f"{TASK_NAME}-{which}.jsonl"
        given = dataclasses.replace(asked, model=f"hf:{model}")
        run_evaluation(given, log, on_progress=on_progress)
        logs.append(log)
    found = compare([logs[1], logs[0]])
    tuned, before = found.systems
    test = found.pairs[0].test
    moved = measure_model_divergence(f"hf:{base}", f"hf:{folder}", limit=limit)
    said = (
        f"Check of general ability (`eval run {TASK_NAME}`), {found.n} neutral prompts scored by "
        f"program: this model {tuned.accuracy:.3f}\n{tuned.ci95:.3f}, "
        f"its base {before.accuracy:.3f} {before.ci95:.3f}; "
        f"difference {test.difference * 100:+.1f} points\n{test.ci95.in_points:.1f}, paired. "
        "Divergence from the base on them: "
        f"{moved.nats_per_token:.3f} nats a token.\nNo benchmark was run for this card."
    )
    card = (folder / CARD_FILE).read_text("utf-8")
    write_text(folder / CARD_FILE, card.replace(UNCHECKED, said))
    write_sums(folder)
