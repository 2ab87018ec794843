"""A fitted severity encoder becomes a model folder: exported, calibrated, measured, described."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor, nn

from cybersecqwen.core.calibration import fit_temperature
from cybersecqwen.core.cvss_metrics import METRICS_V3, METRICS_V4, QUESTIONS, SCORERS
from cybersecqwen.core.files import atomic_write, sha256_file
from cybersecqwen.core.metric_words import MetricWords
from cybersecqwen.core.model_folder import FORMAT_VERSION
from cybersecqwen.core.rows import CorpusRow
from cybersecqwen.core.term_weights import WORDS_FILE
from cybersecqwen.core.text.clean import render
from cybersecqwen.training.recipes.severity import SeverityRecipe
from cybersecqwen.training.specialist.export_onnx import Exported, export_onnx, predict_onnx
from cybersecqwen.training.specialist.metric_words import fit_metric_words
from cybersecqwen.training.specialist.record_views import VECTOR_PART, join_texts
from cybersecqwen.training.specialist.rows import NO_LABEL
from cybersecqwen.training.specialist.severity import SIZES, SeverityEncoder, metric_labels
from cybersecqwen.training.specialist.weakness import tokenize_rows
from cybersecqwen.training.specialist.write_folder import write_description, write_network

_STARTS = np.cumsum([0, *SIZES])
_CLIP = 4.0  # a combination that was never seen is not impossible
_SMOOTH = 0.05


class _SeverityAnswer(nn.Module):
    """The head of an encoder, on all states."""

    def __init__(self, model: SeverityEncoder) -> None:
        super().__init__()
        self.model = model

    def forward(self, states: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        made: tuple[Tensor, Tensor] = self.model.head(states, attention_mask)
        return made


def exported_severity(model: SeverityEncoder) -> Exported:
    """Return a severity specialist as the exporter wants it."""
    return Exported(model.encoder, _SeverityAnswer(model), ("logits", "added"))


def pack_severity(
    model: SeverityEncoder,
    tokenizer: Tokenizer,
    recipe: SeverityRecipe,
    train: Sequence[CorpusRow],
    validation: Sequence[CorpusRow],
    work: Path,
    out: Path,
    provenance: dict[str, str],
) -> dict[str, Any]:
    """Write the model folder ``out`` and return what was measured on validation rows."""
    export_onnx(exported_severity(model), work / "float32.onnx", work / "int8.onnx")
    parts = tokenize_rows(tokenizer, validation, (), recipe.fit.max_tokens)
    known = parts.present.copy()
    known[:, VECTOR_PART] = False
    views = {"description": np.zeros_like(known), "record": known}
    logits = {
        name: predict_onnx(
            work / "int8.onnx", join_texts([parts.show(i, shown[i]) for i in range(len(parts))])
        )
        for name, shown in views.items()
    }
    return write_severity(
        work / "int8.onnx", tokenizer, recipe, train, validation, logits, out, provenance
    )


def write_severity(
    graph: Path,
    tokenizer: Tokenizer,
    recipe: SeverityRecipe,
    train: Sequence[CorpusRow],
    validation: Sequence[CorpusRow],
    logits: dict[str, NDArray[np.float32]],
    out: Path,
    provenance: dict[str, str],
) -> dict[str, Any]:
    """Write the folder from an exported graph and what it says of the validation rows.

    Args:
        graph: The int8 graph.
        tokenizer: Its tokenizer.
        recipe: What it was made by.
        train: Rows with vectors, for the practice of giving values together.
        validation: Rows that nothing was learnt from.
        logits: By view (``description``, ``record``), (N, A).
        out: Folder to write.
        provenance: Where it comes from.
    """
    given = metric_labels(validation)
    taught = metric_labels(train)
    hashes = write_network(out, graph, tokenizer)
    groups = _groups()
    said = logits["description"]
    temperature = {name: _temperature(said, given, places) for name, places in groups.items()}
    if recipe.words:
        asked = [question.size for question in QUESTIONS if question.version == "3.1"]
        texts = [render(row.text) for row in train]
        content = fit_metric_words(texts, taught[:, : len(asked)], asked, most=recipe.word_terms)
        with atomic_write(out / WORDS_FILE) as stream:
            stream.write(content)
        hashes[WORDS_FILE] = sha256_file(out / WORDS_FILE)
        logits = _with_words(logits, MetricWords(content, asked), validation, recipe, temperature)
    together = {name: practice(taught[:, groups[name]]) for name in SCORERS if name != "adp"}
    measured = {
        view: {name: _measure(found, given, places) for name, places in groups.items()}
        for view, found in logits.items()
    }
    write_description(
        out,
        results={"recipe": recipe, "results": measured},
        card=_card(recipe, measured, provenance, graph.stat().st_size),
        config={
            "format_version": FORMAT_VERSION,
            "kind": "severity",
            "name": recipe.name,
            "version": recipe.version,
            "max_tokens": recipe.fit.max_tokens,
            "temperature": temperature,
            "weight": recipe.together,
            "together": together,
            "words": recipe.words,
            "sha256": hashes,
            "provenance": provenance,
        },
    )
    return measured


def _with_words(
    logits: dict[str, NDArray[np.float32]],
    words: MetricWords,
    rows: Sequence[CorpusRow],
    recipe: SeverityRecipe,
    temperature: dict[str, float],
) -> dict[str, NDArray[np.float32]]:
    """Return what the network says of rows, by view, with what their words say added."""
    said = np.stack([words.log_probabilities(render(row.text)) for row in rows])
    asked = [question for question in QUESTIONS if question.version == "3.1"]
    weights = [recipe.words * temperature[q.scorer] for q in asked for _ in q.values]
    added = said * np.array(weights, np.float32)
    return {
        view: np.concatenate((found[:, : added.shape[1]] + added, found[:, added.shape[1] :]), 1)
        for view, found in logits.items()
    }


def practice(answers: NDArray[np.int64]) -> list[int]:
    """Return how much more often vectors hold each combination than chance, in hundredths.

    Args:
        answers: Numbers of the eight base metrics' values, (N, 8), ``NO_LABEL`` where none.

    Returns:
        100 times the logarithm of the ratio, for each combination in the order of
        ``itertools.product``.
    """
    whole = answers[(answers != NO_LABEL).all(1)]
    if not len(whole):
        return [0] * int(np.prod([len(values) for values in METRICS_V3.values()]))
    sizes = [len(values) for values in METRICS_V3.values()]
    numbers = np.ravel_multi_index(tuple(whole.T), sizes)
    counts = np.bincount(numbers, minlength=int(np.prod(sizes))) + _SMOOTH
    alone = [np.bincount(whole[:, i], minlength=size) / len(whole) for i, size in enumerate(sizes)]
    chance = np.array([np.prod(combination) for combination in product(*alone)])
    ratio = np.log(np.maximum(counts / counts.sum(), 1e-12) / np.maximum(chance, 1e-12))
    return [round(100 * float(value)) for value in np.clip(ratio, -_CLIP, _CLIP)]


def _groups() -> dict[str, list[int]]:
    """Return the places of each scorer's questions of version 3.1, and of version 4.0's."""
    groups: dict[str, list[int]] = {}
    for place, question in enumerate(QUESTIONS):
        name = question.scorer if question.version == "3.1" else "4.0"
        groups.setdefault(name, []).append(place)
    return groups


def _temperature(
    logits: NDArray[np.float32], given: NDArray[np.int64], places: Sequence[int]
) -> float:
    found = []
    for place in places:
        rows = given[:, place] != NO_LABEL
        if not rows.any():  # a scorer whose vectors the corpus does not have
            return 1.0
        part = logits[rows, _STARTS[place] : _STARTS[place + 1]]
        found.append(fit_temperature(part, given[rows, place]))
    return round(float(np.mean(found)), 3)


def _measure(
    logits: NDArray[np.float32], given: NDArray[np.int64], places: Sequence[int]
) -> dict[str, Any]:
    """Return each metric's accuracy, and how often all of them are right."""
    rows = (given[:, list(places)] != NO_LABEL).all(1)
    right = np.stack(
        [
            logits[rows, _STARTS[place] : _STARTS[place + 1]].argmax(1) == given[rows, place]
            for place in places
        ],
        axis=1,
    )
    names = METRICS_V4 if QUESTIONS[places[0]].version == "4.0" else METRICS_V3
    if not rows.any():
        return {"rows": 0, "metrics": {}, "exact": 0.0}
    return {
        "rows": int(rows.sum()),
        "metrics": {name: float(right[:, i].mean()) for i, name in enumerate(names)},
        "exact": float(right.all(1).mean()),
    }


def _card(
    recipe: SeverityRecipe,
    measured: dict[str, dict[str, dict[str, Any]]],
    provenance: dict[str, str],
    size: int,
) -> str:
    lines = [
        f"| {name} | {view} | {found['rows']:,} | {found['exact']:.3f} | "
        + " ".join(f"{metric} {share:.2f}" for metric, share in found["metrics"].items())
        + " |"
        for view, groups in measured.items()
        for name, found in groups.items()
        if found["rows"]
    ]
    facts = "\n".join(f"- {name}: `{value}`" for name, value in provenance.items())
    return "\n".join(
        (
            f"# {recipe.name} {recipe.version}",
            "",
            "Reads the description or the whole record of a vulnerability and says what each CVSS",
            "v3.1 base metric is, as NVD or the CNA would score it, and v4.0 as CNAs do. Runs on a",
            f"CPU through ONNX Runtime, {size / 1e6:.1f} MB.",
            "",
            "## Measured on validation rows",
            "",
            "Held-out weeks, each metric alone. `4.0` rests on few rows; its vectors are made to",
            "agree with the 3.1 vector where the two versions ask the same.",
            "",
            "| scorer | read | rows | all right | by metric |",
            "| --- | --- | --- | --- | --- |",
            *lines,
            "",
            "## How it was made",
            "",
            f"- layers of the base: {list(recipe.layers or ()) or 'all'}",
            facts,
            "",
            "Label-wise attention: each metric's answer is a sum over tokens, which is where the",
            "words that speak for it come from. Weights int8 per channel, activations per token.",
            *(
                (
                    "Beside it a linear model of words and pairs of words, whose logarithms count",
                    f"{recipe.words:g} times.",
                )
                if recipe.words
                else ()
            ),
            "",
            "## What it is not for",
            "",
            "- It says what a scorer would write for a description; it does not know the product.",
            "- Temporal and environmental metrics are not its business.",
            "",
        )
    )
