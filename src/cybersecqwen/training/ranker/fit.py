"""Trains the small network that weighs what the knowledge base says for each option.

Listwise: the loss is the cross-entropy of a softmax over the options of one question (Cao et al.,
Learning to Rank, ICML 2007). Optimised by Adam (Kingma and Ba, 2015) with decoupled weight decay.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from cybersecqwen.core.calibration import expected_calibration_error
from cybersecqwen.core.config import Recipe
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.option_ranker import OptionRanker

Floats = NDArray[np.float32]

_LEAST_SCALE = 0.1
"""What hardly varies in training must not be blown up when it does elsewhere."""


class RankerRecipe(Recipe, frozen=True):
    """How to fit a reader.

    Attributes:
        name: Of the reader.
        hidden: Units of the hidden layer.
        epochs: Passes over the training questions.
        batch_size: Questions at once.
        learning_rate: Highest; it falls to 0 along a cosine.
        weight_decay: Per step, times the learning rate.
        dropout: Share of inputs hidden at random, 0 to 1, so that none is relied on alone.
        questions: Training questions at most, drawn evenly; 0 for all.
        validation_questions: The same for validation.
        blurred: Share of words lost, 0 to 1, at most; see ``reader_run.blur``.
        seed: Of everything random.
        held_out_wording: Family of wording left out of training and selection and reported apart.
    """

    name: str
    hidden: int = 32
    epochs: int = 20
    batch_size: int = 64
    learning_rate: float = 3e-3
    weight_decay: float = 0.05
    dropout: float = 0.15
    questions: int = 0
    validation_questions: int = 0
    blurred: float = 0.8
    seed: int = 42
    held_out_wording: str = ""


@dataclass(frozen=True, slots=True)
class RankerMetrics:
    """A question's options, measured.

    Attributes:
        inputs: (options, F).
        answer: Place of the right option.
        kind: What is asked.
        wording: Family of its wording.
        paraphrase_level: Distance of its texts from the source's, as in ``QuizRow``.
    """

    inputs: Floats
    answer: int
    kind: str
    wording: str
    paraphrase_level: int


class Score(msgspec.Struct, frozen=True):
    """A reader on some questions.

    Attributes:
        questions: How many.
        accuracy: Share right, 0 to 1.
        first_input: Share right of the first input alone, taken as the score (its sign turned
            where the question is negated): retrieval without a reader.
        ece: Expected calibration error.
    """

    questions: int
    accuracy: float
    first_input: float
    ece: float


def fit_ranker(
    questions: Sequence[RankerMetrics], names: tuple[str, ...], recipe: RankerRecipe
) -> OptionRanker:
    """Fit a network to measured questions.

    Raises:
        InputError: There are no questions.
    """
    if not questions:
        raise InputError("no questions to train on")
    rows = np.concatenate([q.inputs for q in questions])
    scale = rows.std(axis=0)
    network = _blank(names, rows.mean(axis=0), np.maximum(scale, _LEAST_SCALE), recipe)
    padded = _padded(questions, network)
    draw = np.random.default_rng(recipe.seed)
    optimiser = _Adam(recipe)
    steps = recipe.epochs * -(-len(questions) // recipe.batch_size)
    step = 0
    weights = {n: getattr(network, n).copy() for n in ("hidden", "bias", "output", "direct")}
    for _ in range(recipe.epochs):
        order = draw.permutation(len(questions))
        for start in range(0, len(order), recipe.batch_size):
            batch = order[start : start + recipe.batch_size]
            # One mask for all options of a question: an input is seen for all of them or for none.
            kept = draw.random((len(batch), 1, rows.shape[1])) >= recipe.dropout
            seen = padded.seen[batch] * kept / (1 - recipe.dropout)
            slopes = _slopes(weights, seen, padded.real[batch], padded.answers[batch])
            rate = recipe.learning_rate * 0.5 * (1 + np.cos(np.pi * step / steps))
            optimiser.step(weights, slopes, rate)
            step += 1
    return replace(network, **{n: w.astype(np.float32) for n, w in weights.items()})


def calibrated(network: OptionRanker, questions: Sequence[RankerMetrics]) -> OptionRanker:
    """Return the network with the temperature that makes held-out answers likeliest."""
    logits = [network.logits(q.inputs) for q in questions]
    answers = [q.answer for q in questions]
    candidates = np.geomspace(0.3, 5, 60)

    def loss(temperature: float) -> float:
        total = 0.0
        for row, answer in zip(logits, answers, strict=True):
            scaled = row / temperature
            total += float(np.logaddexp.reduce(scaled) - scaled[answer])
        return total

    return replace(network, temperature=float(min(candidates, key=loss)))


def score_ranker(network: OptionRanker, questions: Sequence[RankerMetrics]) -> Score:
    """Try a network on questions."""
    if not questions:
        return Score(0, 0.0, 0.0, 0.0)
    sure, right, first = [], [], []
    negated = network.names.index("negated") if "negated" in network.names else None
    for question in questions:
        shares = network.probabilities(question.inputs)
        sure.append(float(shares.max()))
        right.append(int(shares.argmax()) == question.answer)
        turned = negated is not None and question.inputs[0, negated] > 0
        column = question.inputs[:, 0] * (-1 if turned else 1)
        first.append(int(column.argmax()) == question.answer)
    return Score(
        len(questions),
        float(np.mean(right)),
        float(np.mean(first)),
        float(expected_calibration_error(sure, right)),
    )


def score_by(
    network: OptionRanker, questions: Sequence[RankerMetrics], key: Callable[[RankerMetrics], str]
) -> dict[str, Score]:
    """Try a network on questions, group by group."""
    groups: dict[str, list[RankerMetrics]] = {}
    for question in questions:
        groups.setdefault(key(question), []).append(question)
    return {name: score_ranker(network, found) for name, found in sorted(groups.items())}


@dataclass(frozen=True, slots=True)
class _Padded:
    """Questions of up to M options, Q of them.

    Attributes:
        seen: (Q, M, F) standardised inputs.
        real: (Q, M) whether there is such an option.
        answers: (Q,).
    """

    seen: Floats
    real: NDArray[np.bool_]
    answers: NDArray[np.intp]


def _padded(questions: Sequence[RankerMetrics], network: OptionRanker) -> _Padded:
    most = max(len(q.inputs) for q in questions)
    seen = np.zeros((len(questions), most, len(network.names)), np.float32)
    real = np.zeros((len(questions), most), bool)
    for row, question in enumerate(questions):
        size = len(question.inputs)
        seen[row, :size] = np.clip((question.inputs - network.mean) / network.scale, -5, 5)
        real[row, :size] = True
    return _Padded(seen, real, np.array([q.answer for q in questions], np.intp))


def _blank(names: tuple[str, ...], mean: Floats, scale: Floats, r: RankerRecipe) -> OptionRanker:
    draw = np.random.default_rng(r.seed)
    width = len(names)
    return OptionRanker(
        names=names,
        mean=mean.astype(np.float32),
        scale=scale.astype(np.float32),
        hidden=(draw.normal(size=(width, r.hidden)) / np.sqrt(width)).astype(np.float32),
        bias=np.zeros(r.hidden, np.float32),
        output=np.zeros(r.hidden, np.float32),
        direct=np.zeros(width, np.float32),
    )


def _slopes(
    weights: dict[str, NDArray[Any]],
    seen: Floats,
    real: NDArray[np.bool_],
    answers: NDArray[np.intp],
) -> dict[str, NDArray[Any]]:
    """Return the gradient of the mean loss by each weight."""
    active = np.tanh(seen @ weights["hidden"] + weights["bias"])  # (B, M, H)
    logits = active @ weights["output"] + seen @ weights["direct"]  # (B, M)
    logits = np.where(real, logits, -1e9)
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    error = shares / shares.sum(axis=1, keepdims=True)
    error[np.arange(len(answers)), answers] -= 1
    error = np.where(real, error, 0) / len(answers)  # (B, M)
    back = error[..., None] * weights["output"] * (1 - active**2)  # (B, M, H)
    return {
        "hidden": np.einsum("bmf,bmh->fh", seen, back, optimize=True),
        "bias": back.sum(axis=(0, 1)),
        "output": np.einsum("bm,bmh->h", error, active),
        "direct": np.einsum("bm,bmf->f", error, seen),
    }


class _Adam:
    """Adam with decoupled weight decay."""

    def __init__(self, recipe: RankerRecipe) -> None:
        self._decay = recipe.weight_decay
        self._first: dict[str, NDArray[Any]] = {}
        self._second: dict[str, NDArray[Any]] = {}
        self._count = 0

    def step(
        self, weights: dict[str, NDArray[Any]], slopes: dict[str, NDArray[Any]], rate: float
    ) -> None:
        self._count += 1
        for name, slope in slopes.items():
            first = 0.9 * self._first.get(name, np.zeros_like(slope)) + 0.1 * slope
            second = 0.999 * self._second.get(name, np.zeros_like(slope)) + 0.001 * slope**2
            self._first[name], self._second[name] = first, second
            mean = first / (1 - 0.9**self._count)
            spread = np.sqrt(second / (1 - 0.999**self._count)) + 1e-8
            decay = 0.0 if name == "bias" else self._decay
            weights[name] = weights[name] - rate * (mean / spread + decay * weights[name])
