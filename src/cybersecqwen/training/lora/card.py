"""The card of an adapter, or of a fully fine-tuned model, written from its run."""

from __future__ import annotations

from typing import Any

from cybersecqwen.core.files import list_digests

CARD_FILE = "README.md"

UNCHECKED = """\
No benchmark was run for this card, nor the check of general ability: what fine-tuning cost is the
difference of `cybersecqwen eval run general` on the base and on this model, which `train lora
--general` and `cybersecqwen reproduce` measure and print in the card."""
"""What stands in a card in the place of the check's outcome."""


def write_card(record: dict[str, Any]) -> str:
    """Return the card as Markdown.

    Args:
        record: What ``training.json`` holds.
    """
    recipe, results, rows = record["recipe"], record["results"], record["rows"]
    fit, full = recipe["fit"], recipe["adapter"] is None
    made = "All weights of {}" if full else "A LoRA adapter for {}"
    export = "gguf FOLDER --out model.gguf" if full else "merge FOLDER --out merged"
    return f"""---
base_model: {recipe["base"]}
library_name: {"transformers" if full else "peft"}
tags: [{"full-fine-tuning" if full else "lora"}, cybersecurity]
---

# {recipe["name"]}

{made.format(recipe["base"])}, fine-tuned by cybersecqwen on {rows["examples"]:,}
conversations about defensive cybersecurity.

    cybersecqwen export {export}
    cybersecqwen eval run cti-rcm --data cti-rcm.tsv --model hf:FOLDER --output run.jsonl

## Measured in the run

{_measured(results)}

{UNCHECKED}

## How it was made

- {_learnt(recipe["adapter"])}
- schedule: {fit["epochs"]:g} epochs, {fit["batch"]} rows a step, learning rate
  {fit["learning_rate"]:g} along a cosine, warm-up {fit["warmup"]:.0%}, weight decay
  {fit["weight_decay"]:g}, seed {recipe["seed"]}
- rows: {rows["rows"]:,} of {recipe["max_tokens"]:,} tokens at most, packing {recipe["packing"]},
  loss on {_LEARNT[recipe["loss"]]}{_weighted(recipe)}; {rows["too_long"]:,} examples were too long
  and left out
- repetitions, counted above: {_repeated(recipe)}
- machine: {record["machine"]["processes"]} x {record["machine"]["device"]}, attention
  {record["machine"]["attention"]}{_reduced(record["memory"]["strategy"])}
- corpus: {list_digests(record["corpus"]["files"], "unknown")}
- base: {list_digests(record["base"]["files"], "unknown")}

{_proof(record["corpus"]["checked_against"])}

The recipe and the curve are in `training.json`.

## What it is not for

- It names weaknesses and explains; it can be wrong with confidence. A person decides.
- It knows the records it was trained on, not what is published after them.
- It is made for defence: triage, mapping, mitigation.
"""


_LEARNT = {"answer": "answers alone", "all": "every token"}


def _learnt(adapter: dict[str, Any] | None) -> str:
    """Say what learnt."""
    if adapter is None:
        return "all weights, in float32, rounded once to the base's type at the end"
    of = f" of the last {adapter['layers']} layers" if adapter["layers"] else ""
    return (
        f"adapter: rank {adapter['rank']}, alpha {adapter['alpha']:g}, dropout "
        f"{adapter['dropout']:g}, on\n  {', '.join(adapter['targets'])}{of}"
    )


def _weighted(recipe: dict[str, Any]) -> str:
    weight = recipe["final_weight"]
    return "" if weight == 1 else f", a token of a short final answer counting {weight:g} times"


def _repeated(recipe: dict[str, Any]) -> str:
    """Say what an epoch has more than once."""
    said = [f"rows of kind `{kind}` {times} times" for kind, times in recipe["repeat"].items()]
    if recipe["replay"]:
        said.append(f"the base's own answers to neutral prompts {recipe['replay']} times")
    return ", ".join(said) or "none"


def _measured(results: dict[str, Any]) -> str:
    lines = [
        f"- {results['steps']:,} steps, {results['tokens']:,} tokens in "
        f"{results['seconds'] / 60:.1f} minutes: {results['tokens_per_second']:,.0f} tokens/s",
        f"- peak memory {results['peak_bytes'] / 2**30:.2f} GiB",
        f"- loss at the end {results['loss']:.4f} nats a learnt token",
    ]
    found = results["validation"]
    if not found:
        return "\n".join([*lines, "- no validation rows, so nothing is known of unseen ones"])
    line = (
        f"- on validation rows: loss {found['loss']:.4f}, next token right "
        f"{found['token_accuracy']:.3f}"
    )
    if "answer_accuracy" in found:
        right = found["answer_accuracy"]
        line += f", final answer right {right:.3f} (the words before it given)"
    return "\n".join([*lines, line])


def _reduced(strategy: dict[str, Any]) -> str:
    words = {"base_4bit": "base in 4 bits", "optimizer_8bit": "optimizer in 8 bits"}
    parts = [text for key, text in words.items() if strategy[key]]
    return f"; {', '.join(parts)}" if parts else ""


def _proof(against: dict[str, str]) -> str:
    if not against:
        return (
            "The corpus was not compared with any benchmark before this run (`--against`); do not "
            "quote a benchmark for this model without `cybersecqwen corpus check`."
        )
    return (
        "Before the run no row of the corpus overlapped an item of these benchmark files: "
        f"{list_digests(against)}."
    )
