"""Learning which ATT&CK technique a sentence, a scenario or a report tells of."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional
from transformers import set_seed

from cybersecqwen.core.text.clean import render
from cybersecqwen.training.hf_trainer import Indices, fit
from cybersecqwen.training.recipes.technique import TechniqueRecipe, TechniqueTeacher
from cybersecqwen.training.specialist.base_encoder import adapted_base
from cybersecqwen.training.specialist.encoder import NormedDecoder
from cybersecqwen.training.specialist.reading_encoder import ReadingEncoder
from cybersecqwen.training.specialist.rows import TokenisedTexts, encode_rendered
from cybersecqwen.training.specialist.supervision import pad, to_device
from cybersecqwen.training.specialist.teachers import Report, taught_by
from cybersecqwen.training.specialist.technique_corpus import TechniqueCorpus
from cybersecqwen.training.specialist.technique_lessons import TechniqueLessons

_ROWS_AT_ONCE = 512
_CLOSED = -1e4  # what padding gets before a softmax; within the range of half precision
_UNTOLD = -4.5  # a main technique's logit in a report before anything is learnt


@dataclass(frozen=True)
class TaughtTechniques:
    """What teachers make of N rows.

    Attributes:
        shares: Of the techniques, (N, C) float16, each row adding up to 1.
        told: Probability that a row tells of each main technique, (N, M) float16.
    """

    shares: NDArray[np.float16]
    told: NDArray[np.float16]


class TechniqueEncoder(nn.Module):
    """How near an encoder's mean state is to each of C techniques, and what each finds in the text.

    A technique's logit is the likeness of the mean state and its row of a table, plus what its own
    query finds among the tokens (label-wise attention, after Mullenbach et al., 2018), so that one
    clause of a sentence on several techniques counts; untaught, a query finds nothing. Each of the
    M main techniques has one more query, which finds whether a report tells of it among others.

    Args:
        encoder: States of all tokens, an object with ``last_hidden_state`` (B, T, D).
        hidden: D.
        techniques: C.
        mains: M.
        recipe: How soft labels, and what reports tell, are weighed in the loss.
        dropout: On the states, 0 to 1.
    """

    def __init__(
        self,
        encoder: nn.Module,
        hidden: int,
        techniques: int,
        mains: int,
        recipe: TechniqueRecipe,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.dropout = nn.Dropout(dropout)
        self.table = nn.Linear(hidden, techniques)
        self.scale = nn.Parameter(torch.tensor(16.0))
        self.queries = nn.Parameter(torch.randn(techniques, hidden) * 0.02)
        self.values = nn.Parameter(torch.zeros(techniques, hidden))
        self.told_queries = nn.Parameter(torch.randn(mains, hidden) * 0.02)
        self.told_values = nn.Parameter(torch.zeros(mains, hidden))
        self.told_bias = nn.Parameter(torch.full((mains,), _UNTOLD))
        self.soft = recipe.soft
        self.told = recipe.told

    def pooled(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return the mean state of (B, T) ids, of length 1, (B, D)."""
        found = self.encoder(input_ids=input_ids, attention_mask=attention_mask)
        return mean_state(found.last_hidden_state, attention_mask)

    def from_states(self, states: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return (B, C) and (B, M) logits for what the encoder leaves, (B, T, D)."""
        pooled = self.dropout(mean_state(states, attention_mask))
        near = self.scale * functional.linear(pooled, self.table.weight) + self.table.bias
        read = self.dropout(states)
        closed = ~attention_mask.bool().unsqueeze(-1)
        found = _found(read, closed, self.queries, self.values)
        told = _found(read, closed, self.told_queries, self.told_values)
        return near + found, told + self.told_bias

    def logits(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return (B, C) logits of the techniques and (B, M) of what a report tells."""
        found = self.encoder(input_ids=input_ids, attention_mask=attention_mask)
        return self.from_states(found.last_hidden_state, attention_mask)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        labels: Tensor,
        weight: Tensor,
        told: Tensor,
        counted: Tensor,
        soft: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Return the loss, and the (B, C) logits.

        Args:
            input_ids: (B, T).
            attention_mask: (B, T).
            labels: (B, C), what each example tells of, each row adding up to 1.
            weight: (B,), of the examples.
            told: (B, M), whether each main technique is told, 0 to 1.
            counted: (B, M), what that weighs.
            soft: (B, C), what teachers make of the examples.
        """
        found, said = self.logits(input_ids, attention_mask)
        logits = found.float()
        loss = functional.cross_entropy(logits, labels, label_smoothing=0.05, reduction="none")
        if soft is not None:
            taught = -(soft * logits.log_softmax(-1)).sum(-1)
            loss = (1 - self.soft) * loss + self.soft * taught
        each = functional.binary_cross_entropy_with_logits(said.float(), told, reduction="none")
        whole = (loss * weight).mean() + self.told * (each * counted).sum(-1).mean()
        return {"loss": whole, "logits": logits}


def mean_state(states: Tensor, attention_mask: Tensor) -> Tensor:
    """Return the mean of (B, T, D) states over the tokens that are there, of length 1, (B, D)."""
    mask = attention_mask.unsqueeze(-1).to(states.dtype)
    mean = (states * mask).sum(1) / mask.sum(1).clamp(min=1)
    return functional.normalize(mean, dim=-1)


def _found(states: Tensor, closed: Tensor, queries: Tensor, values: Tensor) -> Tensor:
    """Return what Q queries find among (B, T, D) states, (B, Q)."""
    weights = (states @ queries.T).masked_fill(closed, _CLOSED).softmax(1)  # (B, T, Q)
    return (weights * (states @ values.T)).sum(1)


def learn_techniques(
    model: TechniqueEncoder,
    tokenizer: Tokenizer,
    lessons: TechniqueLessons,
    taught: TaughtTechniques | None,
    recipe: TechniqueRecipe,
    folder: Path,
    seed: int,
) -> None:
    """Teach ``model`` every row of ``lessons``, in place."""

    def collate(rows: list[int]) -> Mapping[str, Tensor]:
        draw = np.random.default_rng([seed, *rows[:8]])
        drawn = [lessons.draw(row, draw) for row in rows]
        encoded = encode_rendered(tokenizer, [one.text for one in drawn], recipe.fit.max_tokens)
        made = pad(encoded, list(range(len(rows))))
        labels, told, known = (
            np.stack(part)
            for part in zip(*(lessons.targets(one.rows) for one in drawn), strict=True)
        )
        if taught is not None:
            said = np.stack([taught.told[one.rows].max(0).astype(np.float32) for one in drawn])
            told = np.where(known > 0, (told + said) / 2, said)
            known = np.ones_like(known)
            shares = [taught.shares[one.rows].mean(0, dtype=np.float32) for one in drawn]
            made["soft"] = torch.from_numpy(np.stack(shares))
        counted = known * np.array([[one.told] for one in drawn], np.float32)
        made["labels"] = torch.from_numpy(labels)
        made["weight"] = torch.tensor([one.weight for one in drawn])
        made["told"] = torch.from_numpy(told)
        made["counted"] = torch.from_numpy(counted)
        return made

    fit(model, Indices(lessons.lengths), collate, recipe.fit, folder, seed)


def predict_techniques(model: TechniqueEncoder, texts: TokenisedTexts) -> TaughtTechniques:
    """Return what a model makes of N texts, on whatever device it is."""
    device = next(model.parameters()).device
    order = np.argsort(np.diff(texts.starts), kind="stable")
    shares = np.empty((len(texts), model.table.out_features), np.float16)
    told = np.empty((len(texts), len(model.told_bias)), np.float16)
    model.eval()
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, device.type == "cuda"):
        for start in range(0, len(order), _ROWS_AT_ONCE):
            rows = order[start : start + _ROWS_AT_ONCE]
            batch = {key: value.to(device) for key, value in pad(texts, rows.tolist()).items()}
            found, said = model.logits(**batch)
            shares[rows] = found.float().softmax(-1).cpu().numpy()
            told[rows] = said.float().sigmoid().cpu().numpy()
    return TaughtTechniques(shares, told)


def fit_techniques(
    recipe: TechniqueRecipe,
    corpus: TechniqueCorpus,
    folder: Path,
    report: Report,
) -> tuple[TechniqueEncoder, Tokenizer]:
    """Run every stage up to the fitted encoder, resuming what ``folder`` already holds."""
    lessons = TechniqueLessons(corpus, recipe)

    def teach(teacher: TechniqueTeacher, place: Path) -> Callable[[], dict[str, NDArray[Any]]]:
        plan = msgspec.structs.replace(
            recipe,
            base=teacher.base,
            fit=teacher.fit,
            seed=teacher.seed,
            layers=None,
            pretrain=None,
            min_piece_count=0,
            teachers=(),
        )
        model, tokenizer = _learn(plan, corpus, lessons, place, None, teacher.seed)
        to_device(model)
        encoded = encode_rendered(tokenizer, lessons.texts, teacher.fit.max_tokens)
        return lambda: vars(predict_techniques(model, encoded))

    made = [TaughtTechniques(**said) for said in taught_by(recipe.teachers, folder, report, teach)]
    taught = _mean_taught(made) if made else None
    fits = []
    for number, seed in enumerate((recipe.seed, *recipe.averaged)):
        start = time.monotonic()
        place = folder / (f"student-{number}" if number else "student")
        model, tokenizer = _learn(recipe, corpus, lessons, place, taught, seed)
        fits.append(model)
        report(
            f"student {number}" if recipe.averaged else "student", (time.monotonic() - start) / 60
        )
    return averaged(fits), tokenizer


def _mean_taught(made: Sequence[TaughtTechniques]) -> TaughtTechniques:
    """Return the mean of what several teachers make of the same rows."""
    shares = np.mean([one.shares for one in made], axis=0, dtype=np.float32)
    told = np.mean([one.told for one in made], axis=0, dtype=np.float32)
    return TaughtTechniques(np.asarray(shares, np.float16), np.asarray(told, np.float16))


def averaged(fits: Sequence[TechniqueEncoder]) -> TechniqueEncoder:
    """Return the first of several fits from one base, its weights the mean of all of them's.

    A model soup (Wortsman et al., 2022): it answers better than its parts, at the cost of one.
    """
    states = [fitted.state_dict() for fitted in fits]
    mean = {
        name: torch.stack([state[name].cpu() for state in states]).mean(0)
        for name, value in states[0].items()
        if value.is_floating_point()
    }
    fits[0].load_state_dict({**states[0], **mean})
    return fits[0]


def _learn(
    recipe: TechniqueRecipe,
    corpus: TechniqueCorpus,
    lessons: TechniqueLessons,
    folder: Path,
    taught: TaughtTechniques | None,
    seed: int,
) -> tuple[TechniqueEncoder, Tokenizer]:
    folder.mkdir(parents=True, exist_ok=True)
    # Fits that are averaged start alike: the seed decides the order of rows alone.
    set_seed(recipe.seed)
    base, tokenizer = adapted_base(
        recipe.base,
        recipe.pretrain,
        lessons.texts,
        (),
        folder,
        recipe.seed,
        layers=recipe.layers,
        min_piece_count=recipe.min_piece_count,
    )
    set_seed(recipe.seed)
    encoder = ReadingEncoder(base.encoder, 0) if recipe.layers else base.encoder
    if base.causal:
        encoder = NormedDecoder(base.encoder, base.hidden)
    sizes = len(corpus.techniques), len(corpus.mains)
    model = TechniqueEncoder(encoder, base.hidden, *sizes, recipe)
    _start_table(model, tokenizer, corpus, recipe.fit.max_tokens, centred=base.causal)
    learn_techniques(model, tokenizer, lessons, taught, recipe, folder, seed)
    return model, tokenizer


def _start_table(
    model: TechniqueEncoder,
    tokenizer: Tokenizer,
    corpus: TechniqueCorpus,
    max_tokens: int,
    *,
    centred: bool,
) -> None:
    """Let each technique start where its own name and description lie, or how they differ."""
    texts = [render(f"{t.name}. {t.text}") for t in corpus.techniques]
    encoded = encode_rendered(tokenizer, texts, max_tokens)
    to_device(model)
    device = next(model.parameters()).device
    model.eval()
    with torch.inference_mode():
        rows = [
            model.pooled(**{k: v.to(device) for k, v in pad(encoded, [i]).items()})[0].clone()
            for i in range(len(texts))
        ]
    table = torch.stack(rows)
    if centred:
        table = functional.normalize(table - table.mean(0), dim=-1)
    with torch.no_grad():
        model.table.weight.copy_(table)
        model.table.bias.zero_()
