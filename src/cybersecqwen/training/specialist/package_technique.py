"""A fitted technique encoder becomes a model folder: exported, calibrated, measured, described."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor, nn

from cybersecqwen.core.calibration import (
    expected_calibration_error,
    fit_mean_confidence,
    fit_temperature,
)
from cybersecqwen.core.ensemble import softmax_rows
from cybersecqwen.core.errors import ModelError
from cybersecqwen.core.files import atomic_write, sha256_file, write_json
from cybersecqwen.core.model_folder import CONFIG_FILE, FORMAT_VERSION, GRAPH_FILE, TOKENIZER_FILE
from cybersecqwen.core.technique_reading import LEAST_SHARE, UNSEEN
from cybersecqwen.core.technique_words import TechniqueWords
from cybersecqwen.core.term_weights import WORDS_FILE
from cybersecqwen.core.text.clean import render
from cybersecqwen.training.recipes.technique import TechniqueRecipe
from cybersecqwen.training.specialist.export_onnx import Exported, export_onnx, predict_onnx
from cybersecqwen.training.specialist.reading_encoder import ReadingEncoder
from cybersecqwen.training.specialist.report_reading import OpenReader, fit_report_reading
from cybersecqwen.training.specialist.rows import encode_rendered
from cybersecqwen.training.specialist.scenario_reading import (
    fit_scenario_reading,
    held_out_scenarios,
)
from cybersecqwen.training.specialist.technique import TechniqueEncoder
from cybersecqwen.training.specialist.technique_corpus import TechniqueCorpus, example_texts
from cybersecqwen.training.specialist.technique_words import fit_words
from cybersecqwen.training.specialist.write_folder import write_description, write_network

_PRECISION = 0.9
_FILES = (GRAPH_FILE, TOKENIZER_FILE, WORDS_FILE)


class _TechniqueAnswer(nn.Module):
    """What a fitted encoder answers, from the states of its tokens."""

    def __init__(self, model: TechniqueEncoder) -> None:
        super().__init__()
        self.model = model

    def forward(self, states: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        return self.model.from_states(states, attention_mask)


def exported_technique(model: TechniqueEncoder) -> Exported:
    """Return a technique specialist as the exporter wants it.

    Raises:
        ModelError: Its encoder is not of BERT's kind.
    """
    encoder = model.encoder
    if not isinstance(encoder, ReadingEncoder):
        encoder = ReadingEncoder(encoder, 0)
    return Exported(encoder, _TechniqueAnswer(model), ("logits", "told"))


def pack_technique(
    model: TechniqueEncoder,
    tokenizer: Tokenizer,
    recipe: TechniqueRecipe,
    corpus: TechniqueCorpus,
    attack_version: str,
    work: Path,
    out: Path,
    provenance: dict[str, str],
    open_reader: OpenReader | None = None,
) -> dict[str, Any]:
    """Write the model folder ``out`` and return what was measured on validation sentences.

    Args:
        model: Fitted.
        tokenizer: Its tokenizer.
        recipe: What made it.
        corpus: Its validation sentences and reports are what is measured on.
        attack_version: Version of ATT&CK that the techniques come from.
        work: Folder for what is not kept.
        out: The folder.
        provenance: Where it comes from.
        open_reader: Opens the folder to read what the readings of scenarios and of reports are
            fitted on; without one they stay as they are untaught.

    Raises:
        ModelError: No validation sentence is answered rightly, so nothing can be calibrated.
    """
    export_onnx(exported_technique(model), work / "float32.onnx", work / "int8.onnx")
    write_network(out, work / "int8.onnx", tokenizer)
    return finish_technique(recipe, corpus, attack_version, out, provenance, open_reader)


def finish_technique(
    recipe: TechniqueRecipe,
    corpus: TechniqueCorpus,
    attack_version: str,
    out: Path,
    provenance: dict[str, str],
    open_reader: OpenReader | None = None,
) -> dict[str, Any]:
    """Calibrate and describe a folder with a graph and its tokenizer; see ``pack_technique``."""
    numbers = corpus.numbers(corpus.train)
    told = np.array([example.kind in ("procedure", "report") for example in corpus.train])
    examples = np.bincount(numbers[told], minlength=len(corpus.techniques))
    content = fit_words(_documents(corpus, recipe.word_sentences))
    with atomic_write(out / WORDS_FILE) as stream:
        stream.write(content)
    validation = example_texts(corpus.validation)
    tokenizer = Tokenizer.from_file(str(out / TOKENIZER_FILE))
    texts = encode_rendered(tokenizer, validation, recipe.fit.max_tokens)
    logits = predict_onnx(out / GRAPH_FILE, texts)
    right = corpus.numbers(corpus.validation)
    temperature = fit_temperature(logits, right)
    summed = np.log(softmax_rows(logits / temperature) + LEAST_SHARE)
    summed += recipe.words * TechniqueWords(content, len(examples)).likeness(validation)
    summed -= recipe.rarity * np.log(examples + UNSEEN)
    final = fit_mean_confidence(summed, right)
    results = measure_techniques(softmax_rows(summed / final), corpus)
    config: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "kind": "technique",
        "name": recipe.name,
        "version": recipe.version,
        "attack_version": attack_version,
        "techniques": [technique.id for technique in corpus.techniques],
        "names": [technique.name for technique in corpus.techniques],
        "max_tokens": recipe.fit.max_tokens,
        "told": True,
        "temperature": round(temperature, 3),
        "threshold": results["threshold"],
        "words": recipe.words,
        "rarity": recipe.rarity,
        "examples": examples.tolist(),
        "final_temperature": round(final, 3),
        "sha256": {name: sha256_file(out / name) for name in _FILES},
        "provenance": provenance,
    }
    if open_reader:
        write_json(out / CONFIG_FILE, config)
        reader = open_reader(out)
        scenarios = held_out_scenarios(corpus)
        config["scenario"], results["scenarios"] = fit_scenario_reading(reader, scenarios, config)
        if corpus.reports:
            reading, score = fit_report_reading(reader, config["techniques"], corpus.reports)
            results["reports"] = {"rows": len(corpus.reports), "mean_f1": round(score, 4)}
            config["report"] = reading
    card = _card(recipe, results, provenance)
    made = {"recipe": recipe, "results": results}
    write_description(out, results=made, card=card, config=config)
    return results


def _documents(corpus: TechniqueCorpus, most: int) -> list[list[str]]:
    """Return what is known of each technique: its name, its description, some sentences on it."""
    made = [[render(technique.name), render(technique.text)] for technique in corpus.techniques]
    order = np.random.default_rng(0).permutation(len(corpus.train))
    for row in order:
        example = corpus.train[row]
        document = made[corpus.places[example.technique]]
        if example.kind in ("procedure", "report") and len(document) < most + 2:
            document.append(render(example.text.replace("{actor}", " ")))
    return made


def measure_techniques(shares: NDArray[np.float64], corpus: TechniqueCorpus) -> dict[str, Any]:
    """Return accuracies by kind of sentence, and the threshold from which nine in ten are right.

    Args:
        shares: Probabilities of the validation sentences, (N, C).
        corpus: Where their techniques stand.

    Raises:
        ModelError: No threshold has nine in ten right.
    """
    right = corpus.numbers(corpus.validation)
    best = shares.argmax(1)
    confidence = shares.max(1)
    hit = best == right
    ids = np.array([technique.id.split(".")[0] for technique in corpus.techniques])
    five = (np.argsort(-shares, axis=1)[:, :5] == right[:, None]).any(1)
    results: dict[str, Any] = {}
    for kind in ("procedure", "report"):
        rows = np.array([example.kind == kind for example in corpus.validation])
        if rows.any():
            results[kind] = {
                "rows": int(rows.sum()),
                "top1": float(hit[rows].mean()),
                "parent": float((ids[best[rows]] == ids[right[rows]]).mean()),
                "top5": float(five[rows].mean()),
                "ece": expected_calibration_error(confidence[rows], hit[rows]),
            }
    order = np.argsort(-confidence)
    accuracy = np.cumsum(hit[order]) / np.arange(1, len(order) + 1)
    good = np.flatnonzero(accuracy >= _PRECISION)
    if not len(good):
        raise ModelError("no threshold has nine in ten validation sentences right")
    results["threshold"] = round(float(confidence[order[good[-1]]]), 4)
    results["answers"] = float((confidence >= results["threshold"]).mean())
    return results


def _readings_lines(results: dict[str, Any]) -> tuple[str, ...]:
    lines: list[str] = []
    if found := results.get("scenarios"):
        lines += ["", f"{found['rows']:,} held-out scenarios: {found['top1']:.3f} right."]
    if found := results.get("reports"):
        rows, score = found["rows"], found["mean_f1"]
        lines += ["", f"{rows:,} reports made of held-out pages: mean F1 {score:.3f}."]
    return tuple(lines)


def _card(recipe: TechniqueRecipe, results: dict[str, Any], facts: dict[str, str]) -> str:
    lines = [
        f"| {kind} | {found['rows']:,} | {found['top1']:.3f} | {found['parent']:.3f} | "
        f"{found['top5']:.3f} | {found['ece']:.3f} |"
        for kind, found in results.items()
        if isinstance(found, dict) and "parent" in found
    ]
    return "\n".join(
        (
            f"# {recipe.name} {recipe.version}",
            "",
            "Says which ATT&CK enterprise technique a sentence, a scenario or a report tells of.",
            "",
            "## Measured on held-out pages and reports",
            "",
            "| sentences | rows | first | its parent | among five | ECE |",
            "| --- | --- | --- | --- | --- | --- |",
            *lines,
            "",
            f"From {results['threshold']:.2f} on, where nine in ten are right, it answers "
            f"{results['answers']:.0%} of them.",
            *_readings_lines(results),
            "",
            "## How it was made",
            "",
            *(f"- {name}: `{value}`" for name, value in facts.items()),
            "",
            "ATT&CK © 2025 The MITRE Corporation. This work is reproduced and distributed with the",
            "permission of The MITRE Corporation. TRAM 2: Apache 2.0.",
            "",
        )
    )
