"""Fitting some labellers' heads again on what the quantised encoder leaves of newer rows.

A student learns every labeller at once, mostly from teachers. A labeller with fewer labels than
the others gains from a last look at its own, with the encoder as it ships: the linear head moves,
the encoder does not, and no other labeller's answers change.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional

from cybersecqwen.core.model_folder import TOKENIZER_FILE
from cybersecqwen.training.recipes.specialist import HeadRefit, SpecialistRecipe
from cybersecqwen.training.specialist.encoder import CweEncoder
from cybersecqwen.training.specialist.export_onnx import Exported, export_onnx, predict_onnx
from cybersecqwen.training.specialist.fit import Corpus, teachers_answers
from cybersecqwen.training.specialist.reading_encoder import ReadingEncoder
from cybersecqwen.training.specialist.record_views import CWE_PART
from cybersecqwen.training.specialist.rows import NO_LABEL, age_weights, label_numbers
from cybersecqwen.training.specialist.supervision import SoftLabels
from cybersecqwen.training.specialist.weakness import tokenize_rows, whole_views

_ROWS_AT_ONCE = 512
_LEARNING_RATE = 2e-3
_DROPOUT = 0.1


class _FirstState(nn.Module):
    def forward(self, states: Tensor, attention_mask: Tensor) -> Tensor:
        return states[:, 0]


def refit_heads(
    model: CweEncoder, recipe: SpecialistRecipe, corpus: Corpus, options: HeadRefit, work: Path
) -> None:
    """Fit the heads that ``options`` names again, in place.

    Half of the rows of which more than the description is known are read whole, without the CNA's
    own weakness, the others from their descriptions alone.

    Args:
        model: A fitted encoder.
        recipe: What it was made by.
        corpus: Where the rows come from.
        options: Whose heads, and how.
        work: Folder of the stages, with the student's tokenizer.
    """
    columns = [recipe.labellers.index(name) for name in options.labellers]
    labels = label_numbers(corpus.taught, corpus.labels, recipe.labellers)
    chosen = np.flatnonzero((labels[:, columns] != NO_LABEL).any(1))[-options.rows :]
    rows = [corpus.taught[place] for place in chosen]
    encoder = model.encoder
    if not isinstance(encoder, ReadingEncoder):
        encoder = ReadingEncoder(encoder, 1)
    graph = work / "states.onnx"
    export_onnx(Exported(encoder, _FirstState(), ("logits",)), work / "states-float.onnx", graph)
    tokenizer = Tokenizer.from_file(str(work / "student" / TOKENIZER_FILE))
    parts = tokenize_rows(tokenizer, rows, (), recipe.fit.max_tokens, recipe.years)
    draw = np.random.default_rng(recipe.seed)
    shown = parts.present & (draw.random(len(rows)) < 0.5)[:, None]
    shown[:, CWE_PART] = False
    states = predict_onnx(graph, whole_views(parts, shown, when="own"))
    weights = age_weights(rows, recipe.supervision.half_life_years, recipe.supervision.floor)
    taught: SoftLabels | None = None
    if options.taught:
        every = teachers_answers(recipe, work, len(corpus.labels))
        taught = SoftLabels(every.ids[chosen], every.probabilities[chosen])
    for column in columns:
        refit_head(
            model, states, labels[chosen, column], weights, column, options, recipe.seed, taught
        )


def refit_head(
    model: CweEncoder,
    states: NDArray[np.float32],
    labels: NDArray[np.int64],
    weights: NDArray[np.float32],
    column: int,
    options: HeadRefit,
    seed: int,
    taught: SoftLabels | None = None,
) -> None:
    """Fit one labeller's head again on (N, D) states, (N,) label numbers and weights, in place.

    What the head said before, and what teachers say of the rows, may have a share of the loss, so
    that rare ids are not forgotten.
    """
    known = labels != NO_LABEL
    read = torch.from_numpy(states[known].astype(np.float32))
    own = torch.from_numpy(labels[known])
    counted = torch.from_numpy(weights[known])
    width = model.shared.out_features
    place = slice(column * width, (column + 1) * width)
    first = (model.shared.weight + model.own.weight[place]).detach().cpu()
    start = (model.shared.bias + model.own.bias[place]).detach().cpu()
    with torch.no_grad():
        before = functional.linear(read, first, start).softmax(-1)
    weight, bias = nn.Parameter(first.clone()), nn.Parameter(start.clone())
    told = torch.zeros_like(before)  # (N, C), what teachers say
    if taught is not None:
        ids = torch.from_numpy(taught.ids[known, column].astype(np.int64))
        shares = torch.from_numpy(taught.probabilities[known, column].astype(np.float32))
        told.scatter_add_(1, ids, shares)
    share = options.taught if taught is not None else 0.0
    optimizer = torch.optim.Adam([weight, bias], lr=_LEARNING_RATE)
    torch.manual_seed(seed)
    for _ in range(options.epochs):
        for rows in torch.randperm(len(read)).split(_ROWS_AT_ONCE):
            seen = functional.dropout(read[rows], _DROPOUT)
            said = functional.linear(seen, weight, bias).log_softmax(-1)
            hard = -said.gather(1, own[rows][:, None])[:, 0] * counted[rows]
            soft = -((options.keep * before[rows] + share * told[rows]) * said).sum(-1)
            moved = (weight - first).square().sum()
            loss = ((1 - options.keep - share) * hard + soft).mean()
            optimizer.zero_grad()
            (loss + options.stay * moved).backward()
            optimizer.step()
    with torch.no_grad():
        model.own.weight[place] = weight.to(model.own.weight) - model.shared.weight
        model.own.bias[place] = bias.to(model.own.bias) - model.shared.bias
