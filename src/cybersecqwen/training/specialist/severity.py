"""Learning CVSS metrics from descriptions: one small encoder, a question for each metric."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional
from transformers import set_seed

from cybersecqwen.core.cvss_metrics import QUESTIONS, SCORERS, answer_numbers
from cybersecqwen.core.rows import CorpusRow
from cybersecqwen.core.text.record import render_record
from cybersecqwen.training.hf_trainer import Indices, fit
from cybersecqwen.training.recipes.severity import SeverityRecipe, SeverityTeacher
from cybersecqwen.training.recipes.specialist import Fit, Views
from cybersecqwen.training.specialist.base_encoder import adapted_base
from cybersecqwen.training.specialist.reading_encoder import LabelAttention, ReadingEncoder
from cybersecqwen.training.specialist.record_views import VECTOR_PART, PartTokens, join_texts
from cybersecqwen.training.specialist.rows import NO_LABEL, TokenisedTexts, age_weights, taught_rows
from cybersecqwen.training.specialist.supervision import pad, to_device
from cybersecqwen.training.specialist.teachers import Report, taught_by
from cybersecqwen.training.specialist.weakness import (
    added_words,
    neutral_sentences,
    parts_of_row,
    tokenize_rows,
)

_ROWS_AT_ONCE = 512
SIZES = tuple(question.size for question in QUESTIONS)


class SeverityEncoder(nn.Module):
    """An encoder of BERT's kind with a question for each metric and scorer.

    Args:
        encoder: States of all tokens.
        hidden: Their width, D.
        soft: Share of the loss that soft answers get where a row has its own.
        dropout: On the states, 0 to 1.
    """

    def __init__(
        self, encoder: ReadingEncoder, hidden: int, soft: float = 0.0, dropout: float = 0.1
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.dropout = nn.Dropout(dropout)
        self.head = LabelAttention(hidden, SIZES)
        self.soft = soft
        with torch.no_grad():  # scorers start equal
            for place, question in enumerate(QUESTIONS):
                twin = next(i for i, q in enumerate(QUESTIONS) if q.metric == question.metric)
                self.head.queries[place] = self.head.queries[twin]
            starts = np.cumsum((0, *SIZES))
            for place, question in enumerate(QUESTIONS):
                twin = next(
                    i
                    for i, q in enumerate(QUESTIONS)
                    if q.metric == question.metric and q.size == question.size
                )
                mine = slice(starts[place], starts[place + 1])
                its = slice(starts[twin], starts[twin + 1])
                self.head.values.weight[mine] = self.head.values.weight[its]
                self.head.values.bias[mine] = 0

    def answers(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return (B, A) logits and what each token adds to them, (B, T, A)."""
        states = self.encoder(input_ids, attention_mask).last_hidden_state
        logits, added = self.head(self.dropout(states), attention_mask)
        return logits, added

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        labels: Tensor,
        weight: Tensor,
        soft: Tensor | None = None,
        counted: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Return the loss, and the (B, A) logits.

        Args:
            input_ids: (B, T).
            attention_mask: (B, T).
            labels: (B, M), ``NO_LABEL`` where a question has no answer.
            weight: (B,), of the rows' own answers.
            soft: (B, A), what teachers make of each question; they add up to 1 over its answers.
            counted: (B, M), false where a question is not asked.
        """
        logits = self.answers(input_ids, attention_mask)[0].float()
        losses, scales = [], []
        starts = np.cumsum((0, *SIZES))
        for place in range(len(SIZES)):
            part = slice(int(starts[place]), int(starts[place + 1]))
            own = logits[:, part].log_softmax(-1)
            label = labels[:, place]
            given = label != NO_LABEL
            hard = functional.nll_loss(own, label, ignore_index=NO_LABEL, reduction="none")
            if soft is None or counted is None:
                losses.append(hard * weight * given)
                scales.append(weight * given)
                continue
            taught = -(soft[:, part] * own).sum(-1)
            mixed = torch.where(given, (1 - self.soft) * hard * weight + self.soft * taught, taught)
            losses.append(mixed * counted[:, place])
            scales.append(counted[:, place].float())
        loss = torch.stack(losses).sum() / torch.stack(scales).sum().clamp(min=1e-6)
        return {"loss": loss * len(SIZES) / 3, "logits": logits}


@dataclass(frozen=True)
class SeverityRows:
    """N records with vectors.

    Attributes:
        parts: Their token ids.
        labels: (N, M) numbers of answers.
        weights: (N,), of the answers.
        prior: (A,), how common each answer is to its question.
        soft: (N, A), what teachers make of the whole records, if there are any.
    """

    parts: PartTokens
    labels: NDArray[np.int64]
    weights: NDArray[np.float32]
    prior: NDArray[np.float32]
    soft: NDArray[np.float16] | None = None


def metric_labels(rows: Sequence[CorpusRow]) -> NDArray[np.int64]:
    """Return the answers that records' own vectors give, (N, M)."""
    table = np.full((len(rows), len(QUESTIONS)), NO_LABEL, np.int64)
    for row, record in enumerate(rows):
        for scorer in SCORERS:
            for vector in record.vectors.get(scorer, ()):
                for place, number in answer_numbers(vector, scorer):
                    if table[row, place] == NO_LABEL:
                        table[row, place] = number
    return table


def answer_prior(labels: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return how common each answer is to its question, (A,)."""
    shares = []
    for column, size in zip(labels.T, SIZES, strict=True):
        counts = np.bincount(column[column != NO_LABEL], minlength=size) + 1.0
        shares.append(counts / counts.sum())
    return np.concatenate(shares).astype(np.float32)


_TOLD = np.array([question.scorer == "cna" for question in QUESTIONS])


def learn_severity(
    model: SeverityEncoder,
    data: SeverityRows,
    odds: Views,
    schedule: Fit,
    folder: Path,
    seed: int,
) -> None:
    """Teach ``model``, in place, every record that has a vector or soft answers."""
    taught = taught_rows(data.labels, soft=data.soft is not None)

    def collate(batch: list[int]) -> Mapping[str, Tensor]:
        rows = taught[batch]
        draw = np.random.default_rng([seed, *rows[:8].tolist()])
        views = [data.parts.draw(row, odds, draw, VECTOR_PART) for row in rows]
        made = pad(join_texts([view.tokens for view in views]), list(range(len(rows))))
        labels = data.labels[rows].copy()
        empty = np.array([view.empty for view in views])
        told = np.array([view.shown[VECTOR_PART] for view in views])
        hidden = told[:, None] & _TOLD
        labels[empty] = NO_LABEL
        labels[hidden] = NO_LABEL
        made["labels"] = torch.from_numpy(labels)
        made["weight"] = torch.from_numpy(data.weights[rows])
        if data.soft is not None:
            soft = data.soft[rows].astype(np.float32)
            soft[empty] = data.prior
            made["soft"] = torch.from_numpy(soft)
            made["counted"] = torch.from_numpy(~hidden)
        return made

    lengths = np.asarray(data.parts.lengths)[taught].tolist()
    fit(model, Indices(lengths), collate, schedule, folder, seed)


def predict_severity(model: SeverityEncoder, texts: TokenisedTexts) -> NDArray[np.float32]:
    """Return (N, A) probabilities, on whatever device the model is."""
    device = next(model.parameters()).device
    order = np.argsort(np.diff(texts.starts), kind="stable")
    result = np.empty((len(texts), sum(SIZES)), np.float32)
    model.eval()
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, device.type == "cuda"):
        for start in range(0, len(order), _ROWS_AT_ONCE):
            rows = order[start : start + _ROWS_AT_ONCE]
            batch = {key: value.to(device) for key, value in pad(texts, rows.tolist()).items()}
            logits = model.answers(**batch)[0].float()
            parts = [part.softmax(-1) for part in logits.split(SIZES, dim=-1)]
            result[rows] = torch.cat(parts, -1).cpu().numpy()
    return result


def soften_severity(model: SeverityEncoder, parts: PartTokens) -> NDArray[np.float16]:
    """Return a teacher's probabilities for whole records, (N, A).

    The CNA's own vector is shown where others' are asked for, and never where the CNA's is.
    """
    without = parts.present.copy()
    without[:, VECTOR_PART] = False
    views = [parts.show(row, without[row]) for row in range(len(parts))]
    found = predict_severity(model, join_texts(views))
    told = np.flatnonzero(parts.present[:, VECTOR_PART])
    if len(told):
        views = [parts.show(row, parts.present[row]) for row in told]
        hinted = predict_severity(model, join_texts(views))
        others = np.repeat(~_TOLD, SIZES)
        found[np.ix_(told, others)] = hinted[:, others]
    return found.astype(np.float16)


def fit_severity(
    recipe: SeverityRecipe,
    rows: list[CorpusRow],
    cwes: Sequence[str],
    folder: Path,
    report: Report,
) -> tuple[SeverityEncoder, Tokenizer]:
    """Run every stage up to the fitted encoder, resuming what ``folder`` already holds.

    Args:
        recipe: What to make.
        rows: Rows of the corpus, with and without vectors.
        cwes: Weaknesses that a record may name.
        folder: Of the stages.
        report: Takes a finished stage's name and its minutes.
    """
    labels = metric_labels(rows)

    def teach(teacher: SeverityTeacher, place: Path) -> Callable[[], dict[str, NDArray[Any]]]:
        plan = SeverityRecipe(
            name=recipe.name,
            fit=teacher.fit,
            base=teacher.base,
            seed=teacher.seed,
            pretrain=teacher.pretrain,
            min_piece_count=0,
            half_life_years=recipe.half_life_years,
            floor=recipe.floor,
            views=Views(padded=0.05, empty=0),
        )
        model, tokenizer = _learn(plan, rows, labels, cwes, place, None)
        to_device(model)
        parts = tokenize_rows(tokenizer, rows, (), teacher.fit.max_tokens)
        return lambda: {"soft": soften_severity(model, parts)}

    made = [said["soft"] for said in taught_by(recipe.teachers, folder, report, teach)]
    start = time.monotonic()
    soft: NDArray[np.float16] | None = None
    if made:
        soft = np.asarray(np.mean(made, axis=0, dtype=np.float32), np.float16)
    found = _learn(recipe, rows, labels, cwes, folder / "student", soft)
    report("student", (time.monotonic() - start) / 60)
    return found


def _learn(
    plan: SeverityRecipe,
    rows: list[CorpusRow],
    labels: NDArray[np.int64],
    cwes: Sequence[str],
    folder: Path,
    soft: NDArray[np.float16] | None,
) -> tuple[SeverityEncoder, Tokenizer]:
    folder.mkdir(parents=True, exist_ok=True)
    set_seed(plan.seed)
    base, tokenizer = adapted_base(
        plan.base,
        plan.pretrain,
        [render_record(row.text, parts_of_row(row)) for row in rows],
        added_words(cwes),
        folder,
        plan.seed,
        layers=plan.layers,
        intermediate=plan.intermediate,
        min_piece_count=plan.min_piece_count,
    )
    set_seed(plan.seed)
    model = SeverityEncoder(ReadingEncoder(base.encoder, 0), base.hidden, plan.soft)
    neutral = neutral_sentences(rows, plan.seed)
    data = SeverityRows(
        tokenize_rows(tokenizer, rows, neutral, plan.fit.max_tokens),
        labels,
        age_weights(rows, plan.half_life_years, plan.floor),
        answer_prior(labels),
        soft,
    )
    learn_severity(model, data, plan.views, plan.fit, folder, plan.seed)
    return model, tokenizer
