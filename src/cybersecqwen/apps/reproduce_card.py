"""The model card of a reproduced model: scores before and after, settings, sources, times."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from cybersecqwen import __version__
from cybersecqwen.apps.evaluation import compare, score_log
from cybersecqwen.core.files import list_digests, sha256_file
from cybersecqwen.corpus.manifest import MANIFEST
from cybersecqwen.evaluation.divergence import Divergence
from cybersecqwen.evaluation.general_check import TASK_NAME
from cybersecqwen.evaluation.report.summary import Summary
from cybersecqwen.evaluation.statistics import Paired
from cybersecqwen.training.recipes.lora import LoraRecipe

_TRAINING = "training.json"
_ROWS = ("train.jsonl", "validation.jsonl")


@dataclass(frozen=True)
class Made:
    """What a job has made, and from what.

    Attributes:
        recipe: Of the training, with its base.
        corpus: Folder of the corpus.
        trained: Folder of the adapter or, of full fine-tuning, the model before averaging.
        model: Folder of the model that was measured.
        gguf: The same as one file for llama.cpp.
        logs: Of the evaluations, named ``base-...`` and ``tuned-...``.
        divergence: Of the model from its base.
        benchmarks: SHA-256 of each benchmark file that the corpus was compared with, by its name.
        estimate: What the training was expected to take.
        times: Seconds that each stage took, all its runs together.
        limit: Questions of each evaluation at most; None for all.
        dry_run: Whether the model is a tiny one, trained on a few records.
    """

    recipe: LoraRecipe
    corpus: Path
    trained: Path
    model: Path
    gguf: Path
    logs: Sequence[Path]
    divergence: Divergence
    benchmarks: Mapping[str, str]
    estimate: str
    times: Mapping[str, float]
    limit: int | None
    dry_run: bool


def write_card(made: Made) -> str:
    """Return the card as Markdown."""
    recipe = made.recipe
    scores = {log.stem: score_log(log).summaries[0] for log in made.logs}
    licence = _licence(recipe.base)
    return f"""{_front_matter(recipe, licence)}
# {recipe.name}

{_TRIAL if made.dry_run else ""}{_what(recipe)}

    cybersecqwen map --model gguf:{made.gguf.name} "..."
    cybersecqwen ask --model hf:{made.model.name} "..."

## Scores

| task | protocol | items | base | this model | difference, points |
| --- | --- | ---: | --- | --- | --- |
{chr(10).join(_rows(scores, made.logs))}

{_LIMITED.format(made.limit) if made.limit else ""}\
95 % intervals in brackets; those of differences are paired, item by item. `general` is a check of
general ability: neutral prompts of several kinds, scored by program. By kind:

| kind | prompts | base | this model |
| --- | ---: | --- | --- |
{chr(10).join(_kinds(scores))}

{_moved(made.divergence)}
Scores are of `{made.model.name}`; `{made.gguf.name}` was compared with it on a few texts
(`{made.gguf.name}.check.json`), no benchmark was run on it.

## Settings

{chr(10).join(_settings(recipe))}

## What it was made from

{chr(10).join(_sources(made))}

No row of the corpus overlaps an item of these benchmark files
{"(the first items of each)" if made.dry_run else "(`cybersecqwen corpus check`)"}:
{list_digests(made.benchmarks)}.

## Licence

{_terms(licence)}

## What it took

{chr(10).join(_took(made))}

The curve is in `{made.trained.name}/{_TRAINING}`, the corpus's own report in `corpus/report.md`,
every prompt and answer in `logs`, comparisons of both models in `report`.

## What it is not for

It names weaknesses and explains; it can be wrong with confidence. A person decides. It knows the
records that it was trained on, not what is published after them.
"""


def _front_matter(recipe: LoraRecipe, licence: str) -> str:
    return f"""---
base_model: {recipe.base}
library_name: transformers
license: {licence or "unknown"}
tags: [{"full-fine-tuning" if recipe.method == "full" else "lora"}, cybersecurity]
---
"""


_LIMITED = (
    "**Not all questions were asked**: the first {} of each benchmark, and as many neutral\n"
    "prompts.\n\n"
)
_TRIAL = (
    "**A dry run**: a few records and a few questions. Its scores say only that every stage "
    "works.\n\n"
)


def _what(recipe: LoraRecipe) -> str:
    learnt = "All weights of {}" if recipe.method == "full" else "A LoRA adapter merged into {}"
    averaged = f", what it learnt counting {recipe.scale:g} times" if recipe.scale != 1 else ""
    return f"{learnt.format(recipe.base)}{averaged}, made by `cybersecqwen reproduce`."


def _rows(scores: Mapping[str, Summary], logs: Sequence[Path]) -> Iterator[str]:
    paths = {log.stem: log for log in logs}
    for key, before in scores.items():
        if not key.startswith("base-"):
            continue
        other = f"tuned-{key.removeprefix('base-')}"
        test = compare([paths[other], paths[key]]).pairs[0].test
        yield (
            f"| {before.task} | `{before.protocol}` | {before.n} | {_score(before)} | "
            f"{_score(scores[other])} | {_difference(test)} |"
        )


def _kinds(scores: Mapping[str, Summary]) -> Iterator[str]:
    checks = (f"{which}-{TASK_NAME}-ref" for which in ("base", "tuned"))
    before, after = (scores[check].by_kind for check in checks)
    for kind, score in before.items():
        yield f"| {kind} | {score.n} | {score.accuracy:.3f} | {after[kind].accuracy:.3f} |"


def _score(summary: Summary) -> str:
    return f"{summary.accuracy:.3f} {summary.ci95:.3f}"


def _difference(test: Paired) -> str:
    return f"{test.difference * 100:+.1f} {test.ci95.in_points:.1f}"


def _moved(found: Divergence) -> str:
    return (
        f"Divergence from the base: {found.nats_per_token:.3f} nats a token, the mean over\n"
        f"{found.prompts} of these prompts of the log-probability that the base's greedy answers "
        "have lost.\n"
    )


def _settings(recipe: LoraRecipe) -> Iterator[str]:
    for key, value in msgspec.to_builtins(recipe).items():
        parts = value if isinstance(value, dict) else {"": value}
        said = ", ".join(f"{name} {_plain(part)}".strip() for name, part in parts.items())
        yield f"- {key}: {said or 'none'}"


def _plain(value: object) -> str:
    if isinstance(value, list | tuple):
        return " ".join(map(str, value)) or "none"
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _sources(made: Made) -> Iterator[str]:
    manifest = _json(made.corpus / MANIFEST)
    record = _json(made.trained / _TRAINING)
    outputs = {name: digest for name, digest in manifest["outputs"].items() if name in _ROWS}
    examples = record["rows"]["examples"]
    yield f"- corpus: {list_digests(outputs)}; {examples:,} examples, repetitions counted"
    yield f"- of: {list_digests(manifest['inputs'])}"
    yield f"- base: {list_digests(record['base']['files'])}"
    files = [*sorted(made.model.glob("*.safetensors")), made.gguf]
    made_files = {file.name: sha256_file(file) for file in files}
    yield f"- made: {list_digests(made_files)}"
    yield f"- by cybersecqwen {__version__}, PyTorch {record['machine']['torch']}"


def _took(made: Made) -> Iterator[str]:
    record = _json(made.trained / _TRAINING)
    results, machine = record["results"], record["machine"]
    yield f"- machine: {machine['processes']} x {machine['device']}"
    yield f"- expected: {made.estimate}"
    yield (
        f"- training: {results['steps']:,} steps, {results['tokens']:,} tokens at "
        f"{results['tokens_per_second']:,.0f} a second, {results['seconds'] / 60:.1f} minutes, "
        f"{results['peak_bytes'] / 2**30:.1f} GiB at most"
    )
    stages = ", ".join(f"{name} {seconds:,.0f} s" for name, seconds in made.times.items())
    yield f"- stages: {stages}"


def _licence(base: str) -> str:
    """Return the licence that a base's folder states, or an empty string."""
    try:
        lines = (Path(base) / "README.md").read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return ""
    head = lines[1 : lines[1:].index("---") + 1] if "---" in lines[1:] and lines[0] == "---" else []
    stated = [line.partition(":")[2].strip() for line in head if line.startswith("license:")]
    return stated[0] if stated else ""


def _terms(licence: str) -> str:
    stated = f"`{licence}`, as its folder says" if licence else "which its folder does not state"
    return (
        f"The weights are under the base's licence ({stated}). They were learnt from the files "
        "named above, each under\nits publisher's terms; CWE, CAPEC and ATT&CK are of The MITRE "
        "Corporation, NVD's records are public domain\n(not endorsed or certified by the NVD)."
    )


def _json(path: Path) -> dict[str, Any]:
    return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
