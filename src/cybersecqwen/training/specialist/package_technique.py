"""A fitted technique encoder becomes a model folder: exported, calibrated, measured, described."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor, nn

from cybersecqwen import __version__
from cybersecqwen.core.calibration import expected_calibration_error, fit_temperature
from cybersecqwen.core.errors import ModelError
from cybersecqwen.core.model_folder import FORMAT_VERSION
from cybersecqwen.training.recipes.technique import TechniqueRecipe
from cybersecqwen.training.specialist.export_onnx import Exported, export_onnx, predict_onnx
from cybersecqwen.training.specialist.reading_encoder import ReadingEncoder
from cybersecqwen.training.specialist.rows import encode_rendered
from cybersecqwen.training.specialist.technique import (
    TechniqueCorpus,
    TechniqueEncoder,
    example_texts,
)
from cybersecqwen.training.specialist.write_folder import write_description, write_network

_PRECISION = 0.9


class _TechniqueAnswer(nn.Module):
    """The table of an encoder, on the mean of all states."""

    def __init__(self, model: TechniqueEncoder) -> None:
        super().__init__()
        self.model = model

    def forward(self, states: Tensor, attention_mask: Tensor) -> Tensor:
        return self.model.from_states(states, attention_mask)


def exported_technique(model: TechniqueEncoder) -> Exported:
    """Return a technique specialist as the exporter wants it.

    Raises:
        ModelError: Its encoder is not of BERT's kind.
    """
    encoder = model.encoder
    if not isinstance(encoder, ReadingEncoder):
        encoder = ReadingEncoder(encoder, 0)
    return Exported(encoder, _TechniqueAnswer(model), ("logits",))


def pack_technique(
    model: TechniqueEncoder,
    tokenizer: Tokenizer,
    recipe: TechniqueRecipe,
    corpus: TechniqueCorpus,
    attack_version: str,
    work: Path,
    out: Path,
    provenance: dict[str, str],
) -> dict[str, Any]:
    """Write the model folder ``out`` and return what was measured on validation sentences.

    Raises:
        ModelError: No validation sentence is answered rightly, so nothing can be calibrated.
    """
    export_onnx(exported_technique(model), work / "float32.onnx", work / "int8.onnx")
    texts = encode_rendered(tokenizer, example_texts(corpus.validation), recipe.fit.max_tokens)
    logits = predict_onnx(work / "int8.onnx", texts)
    right = corpus.numbers(corpus.validation)
    temperature = fit_temperature(logits, right)
    shares = _softmax(logits / temperature)
    results = measure_techniques(shares, corpus)
    facts = {"base": recipe.base, "cybersecqwen": __version__, **provenance}
    write_description(
        out,
        results={"recipe": recipe, "results": results},
        card=_card(recipe, results, facts),
        config={
            "format_version": FORMAT_VERSION,
            "kind": "technique",
            "name": recipe.name,
            "version": recipe.version,
            "attack_version": attack_version,
            "techniques": [technique.id for technique in corpus.techniques],
            "names": [technique.name for technique in corpus.techniques],
            "max_tokens": recipe.fit.max_tokens,
            "temperature": round(temperature, 3),
            "threshold": results["threshold"],
            "sha256": write_network(out, work / "int8.onnx", tokenizer),
            "provenance": facts,
        },
    )
    return results


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


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    shares = np.exp(logits.astype(np.float64) - logits.max(1, keepdims=True))
    scaled: NDArray[np.float64] = shares / shares.sum(1, keepdims=True)
    return scaled


def _card(recipe: TechniqueRecipe, results: dict[str, Any], facts: dict[str, str]) -> str:
    lines = [
        f"| {kind} | {found['rows']:,} | {found['top1']:.3f} | {found['parent']:.3f} | "
        f"{found['top5']:.3f} | {found['ece']:.3f} |"
        for kind, found in results.items()
        if isinstance(found, dict)
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
