"""A fitted encoder becomes a model folder: exported, calibrated, measured and described."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor, nn

from cybersecqwen.core.model_folder import (
    FORMAT_VERSION,
    TOKENIZER_FILE,
    SpecialistConfig,
)
from cybersecqwen.core.rows import CorpusRow
from cybersecqwen.core.taxonomy import shipped_taxonomy
from cybersecqwen.training.recipes.specialist import SpecialistRecipe
from cybersecqwen.training.specialist.calibrate import LabellerResult, calibrate
from cybersecqwen.training.specialist.card import write_card
from cybersecqwen.training.specialist.encoder import CweEncoder
from cybersecqwen.training.specialist.export_onnx import Exported, export_onnx, predict_onnx
from cybersecqwen.training.specialist.fit import SETTLED_NAMES, Corpus
from cybersecqwen.training.specialist.reading_encoder import ReadingEncoder
from cybersecqwen.training.specialist.record_views import CWE_PART, PartTokens
from cybersecqwen.training.specialist.rows import label_numbers
from cybersecqwen.training.specialist.weakness import tokenize_rows, whole_views
from cybersecqwen.training.specialist.write_folder import (
    provenance,
    write_description,
    write_network,
)


@dataclass(frozen=True)
class Results:
    """What a run reports beside its model.

    Attributes:
        int8: Per labeller, the shipped graph on validation rows, from their descriptions alone.
        float32: The same before quantisation.
        record: The shipped graph on those validation rows of which more than the description is
            known, all of it read but for the CNA's own answer.
        record_text: The same rows from their descriptions alone.
        model_bytes: Size of the shipped graph.
        minutes: Duration of each stage.
    """

    int8: dict[str, LabellerResult]
    float32: dict[str, LabellerResult]
    record: dict[str, LabellerResult]
    record_text: dict[str, LabellerResult]
    model_bytes: int
    minutes: dict[str, float]


def pack(
    model: CweEncoder,
    recipe: SpecialistRecipe,
    corpus: Corpus,
    work: Path,
    out: Path,
    minutes: dict[str, float],
) -> Results:
    """Write the model folder ``out`` and return what was measured on validation rows."""
    tokenizer = Tokenizer.from_file(str(work / "student" / TOKENIZER_FILE))
    float_path, int8_path = work / "float32.onnx", work / "int8.onnx"
    export_onnx(exported(model), float_path, int8_path)
    kept = work / SETTLED_NAMES
    names = msgspec.json.decode(kept.read_bytes(), type=tuple[str, ...]) if kept.exists() else ()
    longest = recipe.fit.max_tokens
    parts = tokenize_rows(tokenizer, corpus.validation, (), longest, recipe.years, names)
    results = _measure(float_path, int8_path, parts, recipe, corpus, minutes)
    config = SpecialistConfig(
        format_version=FORMAT_VERSION,
        name=recipe.name,
        version=recipe.version,
        labels=tuple(corpus.labels),
        labellers=recipe.labellers,
        max_tokens=recipe.fit.max_tokens,
        temperature={name: round(r.temperature, 4) for name, r in results.int8.items()},
        threshold={name: r.threshold for name, r in results.int8.items()},
        precision={name: r.precision for name, r in results.int8.items()},
        sha256=write_network(out, int8_path, tokenizer),
        taxonomy_version=shipped_taxonomy().version,
        years=(recipe.years.first, recipe.years.last) if recipe.years else None,
        assumed_year=recipe.years.assumed if recipe.years else 0,
        settled_names=names,
        provenance=provenance(
            recipe.base, [teacher.base for teacher in recipe.teachers], corpus.hashes
        ),
    )
    curves = {
        place.parent.relative_to(work).as_posix(): msgspec.json.decode(place.read_bytes())
        for place in sorted(work.rglob("curve.json"))
    }
    measured = asdict(results)
    write_description(
        out,
        results={"recipe": recipe, "results": measured, "curves": curves},
        card=write_card(config, recipe, measured),
        config=config,
    )
    return results


class _WeaknessAnswer(nn.Module):
    """The head of an encoder, on the first token's state."""

    def __init__(self, model: CweEncoder) -> None:
        super().__init__()
        self.model = model

    def forward(self, states: Tensor, attention_mask: Tensor) -> Tensor:
        return self.model.head(states[:, 0])


def exported(model: CweEncoder) -> Exported:
    """Return a specialist as the exporter wants it.

    Raises:
        ModelError: Its encoder is not of BERT's kind.
    """
    encoder = model.encoder
    if not isinstance(encoder, ReadingEncoder):
        encoder = ReadingEncoder(encoder, 1)
    return Exported(encoder, _WeaknessAnswer(model), ("logits",))


def _measure(
    float_path: Path,
    int8_path: Path,
    parts: PartTokens,
    recipe: SpecialistRecipe,
    corpus: Corpus,
    minutes: dict[str, float],
) -> Results:
    """Ask both graphs about the validation rows."""
    known = parts.present.copy()
    known[:, CWE_PART] = False
    bare = whole_views(parts, np.zeros_like(known), when="unsaid")
    more = np.asarray(known.any(1), bool)
    int8 = predict_onnx(int8_path, bare)
    every = np.ones(len(parts), bool)
    return Results(
        int8=_by_labeller(int8, every, recipe, corpus),
        float32=_by_labeller(predict_onnx(float_path, bare), every, recipe, corpus),
        record=_by_labeller(
            predict_onnx(int8_path, whole_views(parts, known, when="own")), more, recipe, corpus
        ),
        record_text=_by_labeller(int8, more, recipe, corpus),
        model_bytes=int8_path.stat().st_size,
        minutes=minutes,
    )


def _by_labeller(
    logits: NDArray[np.float32],
    rows: NDArray[np.bool_],
    recipe: SpecialistRecipe,
    corpus: Corpus,
) -> dict[str, LabellerResult]:
    """Calibrate each labeller on those of its validation rows that ``rows``, (N,), names."""
    numbers = _first_labels(corpus.validation, corpus.labels, recipe.labellers)
    near_duplicate = np.array([row.near_train_duplicate for row in corpus.validation])
    found = {}
    for column, labeller in enumerate(recipe.labellers):
        given = rows & np.array([bool(row.ids(labeller)) for row in corpus.validation])
        found[labeller] = calibrate(
            logits[given, column],
            numbers[given, column],
            near_duplicate[given],
            recipe.calibration.target_accuracy,
        )
    return found


def _first_labels(
    rows: Sequence[CorpusRow], labels: Sequence[str], labellers: Sequence[str]
) -> NDArray[np.int64]:
    """Return (N, L) numbers of first labels alone: a first id that was not learnt is a miss."""
    first = [
        msgspec.structs.replace(row, labels={k: v[:1] for k, v in row.labels.items()})
        for row in rows
    ]
    return label_numbers(first, labels, labellers)
