"""A specialist's model card, written from its run."""

from __future__ import annotations

from typing import Any

import yaml

from cybersecqwen.core.model_folder import SpecialistConfig
from cybersecqwen.training.recipes.specialist import SpecialistRecipe


def write_card(config: SpecialistConfig, recipe: SpecialistRecipe, results: dict[str, Any]) -> str:
    """Return the card as Markdown: what it is, how good, how made, what it is not for."""
    facts = "\n".join(f"- {name}: `{value}`" for name, value in config.provenance.items())
    minutes = ", ".join(f"{name} {value:.1f}" for name, value in results["minutes"].items())
    kept = "all" if recipe.layers is None else ", ".join(map(str, recipe.layers))
    return f"""{_front_matter(config, recipe, results)}
# {config.name} {config.version}

Maps the English description of a vulnerability, or its whole record, to one of
{len(config.labels)} CWE ids (CWE {config.taxonomy_version}), as the chosen labeller would:
{", ".join(config.labellers)}. Runs on a CPU through ONNX Runtime,
{results["model_bytes"] / 1e6:.1f} MB.

## Measured on validation rows

Held-out weeks. Strict top-1 on the labeller's first id; an id that the model was never taught
counts as wrong. Unfamiliar rows have no near-duplicate among the training rows.
Temperature and threshold were fitted on these same rows, so calibration elsewhere will be a
little worse.

| labeller | rows | int8 | float32 | unfamiliar | top-5 | ECE | at 70 % | threshold | answers |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
{_description_rows(results)}

The same graph on the rows of which a record is known, from the description alone and with title,
assigner, product, CVSS vector and reference hosts before it; the CNA's own weakness stays out.

| labeller | rows | description | whole record |
| --- | --- | --- | --- |
{_record_rows(results)}

## How it was made

{facts}
- layers of the base: {kept}; the last {recipe.reading} run for the first token alone
- seed: {recipe.seed}
- minutes: {minutes}

Temperature scaling per labeller; weights int8 per channel (7 bits used), activations quantised as
they come. The recipe and the numbers are in `training.json`.

## What it is not for

- It names the weakness that a labeller would write for a description; it does not read code, and
  it cannot know what the description leaves out.
- Where it abstains, a person should look; the back-off is a hint, not an answer.
- NVD's and the CNAs' conventions drift. Measure again on newer records before relying on it.
"""


def _description_rows(results: dict[str, Any]) -> str:
    return "\n".join(
        f"| {name} | {int8['rows']:,} | {int8['accuracy']:.3f} | {plain['accuracy']:.3f} "
        f"| {int8['unfamiliar_accuracy']:.3f} of {int8['unfamiliar_rows']:,} "
        f"| {int8['top5']:.3f} | {int8['ece']:.3f} | {int8['accuracy_at_70']:.3f} "
        f"| {int8['threshold']:.2f} | {int8['coverage']:.0%} |"
        for (name, int8), plain in zip(
            results["int8"].items(), results["float32"].values(), strict=True
        )
    )


def _record_rows(results: dict[str, Any]) -> str:
    return "\n".join(
        f"| {name} | {record['rows']:,} | {text['accuracy']:.3f} | {record['accuracy']:.3f} |"
        for (name, record), text in zip(
            results["record"].items(), results["record_text"].values(), strict=True
        )
        if record["rows"]
    )


def _front_matter(
    config: SpecialistConfig, recipe: SpecialistRecipe, results: dict[str, Any]
) -> str:
    """Return the metadata that the Hugging Face hub reads: licence, task, base and results."""
    metrics = [
        {"type": "accuracy", "name": f"accuracy, {labeller}", "value": round(found["accuracy"], 4)}
        for labeller, found in results["int8"].items()
    ]
    data = {
        "license": "apache-2.0",
        "language": ["en"],
        "library_name": "cybersecqwen",
        "pipeline_tag": "text-classification",
        "base_model": recipe.base,
        "tags": ["cybersecurity", "cve", "cwe", "onnx"],
        "model-index": [
            {
                "name": config.name,
                "results": [
                    {
                        "task": {"type": "text-classification"},
                        "dataset": {"type": "cve", "name": "held-out weeks of CVE records"},
                        "metrics": metrics,
                    }
                ],
            }
        ],
    }
    return f"---\n{yaml.safe_dump(data, sort_keys=False)}---\n"
