"""The model card of a reproduced model: scores before and after, each with its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from cybersecqwen.apps.evaluation import score_log
from cybersecqwen.evaluation.divergence import Divergence
from cybersecqwen.evaluation.report.summary import Summary
from cybersecqwen.training.recipes.lora import LoraRecipe

_GENERAL = "general"


def write_card(
    recipe: LoraRecipe,
    trained: str,
    logs: Sequence[Path],
    divergence: Divergence,
    benchmarks: Mapping[str, str],
    *,
    dry_run: bool,
) -> str:
    """Return the card as Markdown.

    Args:
        recipe: What the model was trained by, with its base.
        trained: Name of the folder that training made.
        logs: Of the evaluations, named ``base-...`` and ``tuned-...``.
        divergence: Of the model from its base.
        benchmarks: SHA-256 of each benchmark file that the corpus was compared with, by its name.
        dry_run: Whether the model is a tiny one, trained on a few records.
    """
    scores = {log.stem: score_log(log).summaries[0] for log in logs}
    lost = scores[f"base-{_GENERAL}-ref"].accuracy - scores[f"tuned-{_GENERAL}-ref"].accuracy
    trial = (
        "**A dry run**: a tiny model with random weights and a few questions. Its scores say only "
        "that every stage works.\n\n"
        if dry_run
        else ""
    )
    full = recipe.method == "full"
    what = "All weights of {}, fine-tuned" if full else "A LoRA adapter merged into {}, made"
    return f"""# {recipe.name}

{trial}{what.format(recipe.base)} by `cybersecqwen reproduce`.

## Scores

| task | protocol | items | base | this model |
| --- | --- | ---: | --- | --- |
{chr(10).join(_rows(scores))}

95 % intervals in brackets. `general` is a check of general ability: neutral prompts of several
kinds, scored by program. This model {_said(lost)}. On {divergence.prompts} of its prompts an answer
of the base lost {divergence.nats_per_token:.3f} nats a token by fine-tuning (an estimate of the
Kullback-Leibler divergence from the base).

## How it was made

The recipe, the curve and the hashes of corpus and base are in `{trained}/training.json`, the
corpus's own report in `corpus/report.md`, every prompt and answer in `logs`, comparisons of both in
`report`. No row of the corpus overlaps an item of these benchmark files:
{_files(benchmarks)}.

## What it is not for

It names weaknesses and explains; it can be wrong with confidence. A person decides.
"""


def _rows(scores: Mapping[str, Summary]) -> list[str]:
    rows = []
    for key, before in scores.items():
        if not key.startswith("base-"):
            continue
        after = scores[f"tuned-{key.removeprefix('base-')}"]
        rows.append(
            f"| {before.task} | `{before.protocol}` | {before.n} | {_score(before)} | "
            f"{_score(after)} |"
        )
    return rows


def _score(summary: Summary) -> str:
    low, high = summary.ci95.low, summary.ci95.high
    return f"{summary.accuracy:.3f} [{low:.3f}, {high:.3f}]"


def _said(lost: float) -> str:
    points = abs(lost) * 100
    if points < 0.05:
        return "answers as many of them right as its base"
    return f"is {points:.1f} points {'below' if lost > 0 else 'above'} its base there"


def _files(hashes: Mapping[str, str]) -> str:
    return ", ".join(f"{name} `{digest[:16]}`" for name, digest in hashes.items()) or "none"
