"""Fits the option ranker: a small network over what the knowledge base says for each option.

Listwise: the loss is the cross-entropy of a softmax over the options of one question (Cao et al.,
Learning to Rank, ICML 2007). Optimised by AdamW (Loshchilov and Hutter, ICLR 2019).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from cybersecqwen.core.calibration import expected_calibration_error
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.option_ranker import OptionRanker
from cybersecqwen.training.recipes.ranker import RankerRecipe

Floats = NDArray[np.float32]

_WEIGHTS = ("hidden", "bias", "output", "direct")
_LEAST_SCALE = 0.1
"""What hardly varies in training must not be blown up when it does elsewhere."""


@dataclass(frozen=True, slots=True)
class RankerMetrics:
    """The inputs of a question's options.

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
    """A ranker on some questions.

    Attributes:
        questions: Number of questions.
        accuracy: Share right, 0 to 1.
        first_input: Share right of the first input alone, taken as the score (its sign turned
            where the question is negated): retrieval without a ranker.
        ece: Expected calibration error.
    """

    questions: int
    accuracy: float
    first_input: float
    ece: float


def fit_ranker(
    questions: Sequence[RankerMetrics], names: tuple[str, ...], recipe: RankerRecipe
) -> OptionRanker:
    """Fit networks to the inputs of questions, one a seed, and return their mean.

    The mean of several networks of H units (Breiman, Bagging Predictors, Machine Learning 24,
    1996; here they differ by their seeds alone) is one network of as many times H units.

    Raises:
        InputError: There are no questions.
    """
    if not questions:
        raise InputError("no questions to train on")
    networks = [
        _fit_one(questions, names, msgspec.structs.replace(recipe, seed=recipe.seed + member))
        for member in range(recipe.members)
    ]
    return replace(
        networks[0],
        hidden=np.concatenate([n.hidden for n in networks], axis=1),
        bias=np.concatenate([n.bias for n in networks]),
        output=np.concatenate([n.output / np.float32(len(networks)) for n in networks]),
        direct=np.mean([n.direct for n in networks], axis=0, dtype=np.float32),
    )


def _fit_one(
    questions: Sequence[RankerMetrics], names: tuple[str, ...], recipe: RankerRecipe
) -> OptionRanker:
    rows = np.concatenate([q.inputs for q in questions])
    scale = rows.std(axis=0)
    network = _blank(names, rows.mean(axis=0), np.maximum(scale, _LEAST_SCALE), recipe)
    padded = _padded(questions, network)
    draw = np.random.default_rng(recipe.seed)
    weights = {
        name: torch.nn.Parameter(torch.from_numpy(getattr(network, name).copy()))
        for name in _WEIGHTS
    }
    steps = recipe.epochs * -(-len(questions) // recipe.batch_size)
    optimiser, schedule = _optimiser(weights, recipe, steps)
    for _ in range(recipe.epochs):
        order = draw.permutation(len(questions))
        for start in range(0, len(order), recipe.batch_size):
            batch = order[start : start + recipe.batch_size]
            # One mask for all options of a question: an input is seen for all of them or for none.
            kept = draw.random((len(batch), 1, rows.shape[1])) >= recipe.dropout
            seen = (padded.seen[batch] * kept / (1 - recipe.dropout)).astype(np.float32)
            optimiser.zero_grad()
            _loss(weights, seen, padded.real[batch], padded.answers[batch]).backward()
            optimiser.step()
            schedule.step()
    return replace(network, **{n: weight.detach().numpy() for n, weight in weights.items()})


def _optimiser(
    weights: dict[str, torch.nn.Parameter], recipe: RankerRecipe, steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """Return AdamW, the bias without decay, and a learning rate that falls along a cosine."""
    decayed = [weight for name, weight in weights.items() if name != "bias"]
    optimiser = torch.optim.AdamW(
        [
            {"params": decayed, "weight_decay": recipe.weight_decay},
            {"params": [weights["bias"]], "weight_decay": 0.0},
        ],
        lr=recipe.learning_rate,
    )
    return optimiser, torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)


def _loss(
    weights: dict[str, torch.nn.Parameter],
    seen: Floats,
    real: NDArray[np.bool_],
    answers: NDArray[np.intp],
) -> torch.Tensor:
    """Return the mean cross-entropy over B questions of inputs (B, M, F)."""
    inputs = torch.from_numpy(seen)
    active = torch.tanh(inputs @ weights["hidden"] + weights["bias"])  # (B, M, H)
    logits = active @ weights["output"] + inputs @ weights["direct"]  # (B, M)
    logits = logits.masked_fill(~torch.from_numpy(real), -1e9)
    loss: torch.Tensor = functional.cross_entropy(logits, torch.from_numpy(answers))
    return loss


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
