"""Learning which ATT&CK technique a sentence or a scenario tells of."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional
from transformers import set_seed

from cybersecqwen.core.files import atomic_write
from cybersecqwen.core.jsonl import read_rows
from cybersecqwen.core.text.clean import render
from cybersecqwen.training.hf_trainer import Indices, fit
from cybersecqwen.training.recipes.specialist import Fit
from cybersecqwen.training.recipes.technique import TechniqueRecipe
from cybersecqwen.training.specialist.base_encoder import adapted_base
from cybersecqwen.training.specialist.condensed import condensed
from cybersecqwen.training.specialist.reading_encoder import ReadingEncoder
from cybersecqwen.training.specialist.rows import TokenisedTexts, encode_rendered
from cybersecqwen.training.specialist.supervision import pad, to_device

_ROWS_AT_ONCE = 512
_CLOSED = -1e4  # what padding gets before a softmax; within the range of half precision
_ACTORS = (
    "The adversary",
    "The attackers",
    "An intruder",
    "The malware",
    "The implant",
    "The group",
    "The threat actor",
    "The sample",
    "It",
)


class Example(msgspec.Struct, frozen=True):
    """A line of the technique corpus; see ``corpus.techniques.rows``."""

    text: str
    technique: str
    kind: str
    group: str


class HeldOutReport(msgspec.Struct, frozen=True):
    """A report made of held-out sentences; see ``corpus.techniques.rows``."""

    text: str
    techniques: tuple[str, ...]
    group: str


class Technique(msgspec.Struct, frozen=True):
    """A technique that can be answered with; see ``corpus.techniques.rows``."""

    id: str
    name: str
    text: str


@dataclass(frozen=True)
class TechniqueCorpus:
    """What a technique specialist learns from: C techniques, sentences to learn and held out.

    ``reports`` are made of held-out sentences; a corpus of an older version has none.
    """

    techniques: list[Technique]
    train: list[Example]
    validation: list[Example]
    reports: list[HeldOutReport]

    def numbers(self, examples: Sequence[Example]) -> NDArray[np.int64]:
        """Return each example's technique's place, (N,)."""
        place = {technique.id: index for index, technique in enumerate(self.techniques)}
        return np.array([place[example.technique] for example in examples], np.int64)


def read_technique_corpus(folder: Path) -> TechniqueCorpus:
    """Read what ``corpus techniques`` built.

    Raises:
        InputError: A file is missing or damaged.
    """
    what = "not a row of a technique corpus"
    reports = folder / "reports.jsonl"
    return TechniqueCorpus(
        [row for _, row in read_rows(folder / "techniques.jsonl", Technique, what)],
        [row for _, row in read_rows(folder / "train.jsonl", Example, what)],
        [row for _, row in read_rows(folder / "validation.jsonl", Example, what)],
        [row for _, row in read_rows(reports, HeldOutReport, what)] if reports.exists() else [],
    )


class TechniqueEncoder(nn.Module):
    """How near an encoder's mean state is to each of C techniques, and what each finds in the text.

    A technique's logit is the likeness of the mean state and its row of a table, plus what its own
    query finds among the tokens (label-wise attention, after Mullenbach et al., 2018), so that one
    clause of a sentence on several techniques counts; untaught, a query finds nothing.

    Args:
        encoder: States of all tokens, an object with ``last_hidden_state`` (B, T, D).
        hidden: D.
        techniques: C.
        soft: Share of the loss that soft labels get.
        dropout: On the mean state, 0 to 1.
    """

    def __init__(
        self, encoder: nn.Module, hidden: int, techniques: int, soft: float, dropout: float = 0.1
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.dropout = nn.Dropout(dropout)
        self.table = nn.Linear(hidden, techniques)
        self.scale = nn.Parameter(torch.tensor(16.0))
        self.queries = nn.Parameter(torch.randn(techniques, hidden) * 0.02)
        self.values = nn.Parameter(torch.zeros(techniques, hidden))
        self.soft = soft

    def pooled(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return the mean state of (B, T) ids, of length 1, (B, D)."""
        found = self.encoder(input_ids=input_ids, attention_mask=attention_mask)
        return mean_state(found.last_hidden_state, attention_mask)

    def from_states(self, states: Tensor, attention_mask: Tensor) -> Tensor:
        """Return (B, C) logits for what the encoder leaves, (B, T, D)."""
        pooled = self.dropout(mean_state(states, attention_mask))
        near: Tensor = self.scale * functional.linear(pooled, self.table.weight) + self.table.bias
        read = self.dropout(states)
        asked = read @ self.queries.T  # (B, T, C)
        closed = ~attention_mask.bool().unsqueeze(-1)
        weights = asked.masked_fill(closed, _CLOSED).softmax(1)
        return near + (weights * (read @ self.values.T)).sum(1)

    def logits(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return (B, C) logits."""
        found = self.encoder(input_ids=input_ids, attention_mask=attention_mask)
        return self.from_states(found.last_hidden_state, attention_mask)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        labels: Tensor,
        soft: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Return the loss, and the (B, C) logits.

        Args:
            input_ids: (B, T).
            attention_mask: (B, T).
            labels: (B, C), what each example tells of, each row adding up to 1.
            soft: (B, C), what teachers make of the examples.
        """
        logits = self.logits(input_ids, attention_mask).float()
        loss = functional.cross_entropy(logits, labels, label_smoothing=0.05)
        if soft is not None:
            taught = -(soft * logits.log_softmax(-1)).sum(-1).mean()
            loss = (1 - self.soft) * loss + self.soft * taught
        return {"loss": loss, "logits": logits}


def mean_state(states: Tensor, attention_mask: Tensor) -> Tensor:
    """Return the mean of (B, T, D) states over the tokens that are there, of length 1, (B, D)."""
    mask = attention_mask.unsqueeze(-1).to(states.dtype)
    mean = (states * mask).sum(1) / mask.sum(1).clamp(min=1)
    return functional.normalize(mean, dim=-1)


def with_actor(text: str, number: int) -> str:
    """Return a procedure with somebody for ``{actor}``, the first at its sentence's beginning."""
    name = _ACTORS[number % len(_ACTORS)]
    lower = name[0].lower() + name[1:]
    start = text.startswith("{actor}")
    text = text.replace("{actor}", name, 1) if start else text
    return text.replace("{actor}", lower)


def learn_techniques(
    model: TechniqueEncoder,
    tokenizer: Tokenizer,
    corpus: TechniqueCorpus,
    soft: NDArray[np.float16] | None,
    recipe: TechniqueRecipe,
    schedule: Fit,
    folder: Path,
    seed: int,
) -> None:
    """Teach ``model`` every training example, in place."""
    numbers = corpus.numbers(corpus.train)
    mates = [np.flatnonzero(numbers == place) for place in range(len(corpus.techniques))]

    def collate(rows: list[int]) -> Mapping[str, Tensor]:
        draw = np.random.default_rng([seed, *rows[:8]])
        texts, softs = [], []
        labels = np.zeros((len(rows), len(corpus.techniques)), np.float32)
        for place, row in enumerate(rows):
            chosen = [row]
            kind = draw.random()
            if kind < recipe.joined:
                chosen += draw.choice(mates[numbers[row]], int(draw.integers(1, 3))).tolist()
            elif kind < recipe.joined + recipe.condensed:
                chosen += draw.integers(0, len(numbers), int(draw.integers(1, 4))).tolist()
            draw.shuffle(chosen)
            told = [corpus.train[i].text for i in chosen]
            if recipe.joined <= kind < recipe.joined + recipe.condensed:
                told = [condensed(told, draw)]
            parts = [with_actor(text, int(draw.integers(99))) for text in told]
            texts.append(render(" ".join(parts)))
            np.add.at(labels[place], numbers[chosen], 1 / len(chosen))
            if soft is not None:
                softs.append(soft[chosen].mean(0, dtype=np.float32))
        encoded = encode_rendered(tokenizer, texts, schedule.max_tokens)
        made = pad(encoded, list(range(len(rows))))
        made["labels"] = torch.from_numpy(labels)
        if soft is not None:
            made["soft"] = torch.from_numpy(np.array(softs))
        return made

    lengths = [len(example.text) for example in corpus.train]
    fit(model, Indices(lengths), collate, schedule, folder, seed)


def predict_techniques(model: TechniqueEncoder, texts: TokenisedTexts) -> NDArray[np.float32]:
    """Return (N, C) probabilities, on whatever device the model is."""
    device = next(model.parameters()).device
    order = np.argsort(np.diff(texts.starts), kind="stable")
    result = np.empty((len(texts), model.table.out_features), np.float32)
    model.eval()
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, device.type == "cuda"):
        for start in range(0, len(order), _ROWS_AT_ONCE):
            rows = order[start : start + _ROWS_AT_ONCE]
            batch = {key: value.to(device) for key, value in pad(texts, rows.tolist()).items()}
            result[rows] = model.logits(**batch).float().softmax(-1).cpu().numpy()
    return result


def example_texts(examples: Sequence[Example]) -> list[str]:
    """Return examples as they are read."""
    return [render(with_actor(example.text, row)) for row, example in enumerate(examples)]


def fit_techniques(
    recipe: TechniqueRecipe,
    corpus: TechniqueCorpus,
    folder: Path,
    report: Callable[[str, float], None],
) -> tuple[TechniqueEncoder, Tokenizer]:
    """Run every stage up to the fitted encoder, resuming what ``folder`` already holds."""
    made = []
    texts = example_texts(corpus.train)
    for number, teacher in enumerate(recipe.teachers):
        start = time.monotonic()
        place = folder / f"teacher-{number}"
        kept = place / "soft.npz"
        if not kept.exists():
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
            model, tokenizer = _learn(plan, corpus, place, None)
            to_device(model)
            encoded = encode_rendered(tokenizer, texts, teacher.fit.max_tokens)
            with atomic_write(kept) as stream:
                np.savez(stream, soft=predict_techniques(model, encoded).astype(np.float16))
        with np.load(kept) as arrays:
            made.append(arrays["soft"])
        report(f"teacher {number}", (time.monotonic() - start) / 60)
    start = time.monotonic()
    soft: NDArray[np.float16] | None = None
    if made:
        soft = np.asarray(np.mean(made, axis=0, dtype=np.float32), np.float16)
    found = _learn(recipe, corpus, folder / "student", soft)
    report("student", (time.monotonic() - start) / 60)
    return found


def _learn(
    recipe: TechniqueRecipe,
    corpus: TechniqueCorpus,
    folder: Path,
    soft: NDArray[np.float16] | None,
) -> tuple[TechniqueEncoder, Tokenizer]:
    folder.mkdir(parents=True, exist_ok=True)
    set_seed(recipe.seed)
    base, tokenizer = adapted_base(
        recipe.base,
        recipe.pretrain,
        example_texts(corpus.train),
        (),
        folder,
        recipe.seed,
        layers=recipe.layers,
        min_piece_count=recipe.min_piece_count,
    )
    set_seed(recipe.seed)
    encoder = ReadingEncoder(base.encoder, 0) if recipe.layers else base.encoder
    model = TechniqueEncoder(encoder, base.hidden, len(corpus.techniques), recipe.soft)
    _start_table(model, tokenizer, corpus, recipe.fit.max_tokens)
    learn_techniques(model, tokenizer, corpus, soft, recipe, recipe.fit, folder, recipe.seed)
    return model, tokenizer


def _start_table(
    model: TechniqueEncoder, tokenizer: Tokenizer, corpus: TechniqueCorpus, max_tokens: int
) -> None:
    """Let each technique start where its own name and description lie."""
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
    with torch.no_grad():
        model.table.weight.copy_(torch.stack(rows))
        model.table.bias.zero_()
