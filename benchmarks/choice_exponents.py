"""Fit the exponents of a multiple choice by three opinions, on questions of our own.

    python benchmarks/choice_exponents.py --model hf:MODEL

The opinions are the language model's with passages (exponent 1), its own without
(``closed_weight``) and the option ranker's (``ranker_weight``). The questions are
``inside_questions.yaml`` and ``outside_questions.yaml`` of the evaluation; no benchmark's. Prints
the exponents, on a grid, that make the right options likeliest, and the share right by five-fold
cross-validation.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray

import cybersecqwen.evaluation
from cybersecqwen.core.ensemble import log_opinion
from cybersecqwen.knowledge.base import KnowledgeBase
from cybersecqwen.llm import open_backend
from cybersecqwen.llm.multiple_choice import MultipleChoice, MultipleChoiceConfig

FILES = ("inside_questions.yaml", "outside_questions.yaml")
GRID = tuple(product(np.arange(0, 2.01, 0.1), np.arange(0, 1.51, 0.06)))
FOLDS = 5


def opinions(model: str, most: int) -> list[NDArray[np.float64]]:
    """Return, for each question, the logarithms (3, options) of its three opinions.

    The right option stands first in the files, which no opinion sees: each is the same whatever
    the order of the options.
    """
    backend, knowledge = open_backend(model), KnowledgeBase.load()
    alone = MultipleChoiceConfig(ranker_weight=0, closed_weight=0)
    opened, closed = MultipleChoice(backend, alone, knowledge), MultipleChoice(backend, alone)
    folder = Path(cybersecqwen.evaluation.__file__).parent
    found = []
    for name in FILES:
        rows = yaml.safe_load((folder / name).read_text("utf-8"))
        for row in rows[: most or None]:
            said = [
                opened.choose(row["question"], row["choices"]).probabilities,
                closed.choose(row["question"], row["choices"]).probabilities,
                knowledge.choose(row["question"], row["choices"]).probabilities,
            ]
            found.append(np.array([log_opinion(shares, 1.0) for shares in said]))
    return found


def loss(questions: Sequence[NDArray[np.float64]], closed: float, ranker: float) -> float:
    """Return the mean negative log-probability of the first, right option."""
    total = 0.0
    for question in questions:
        pooled = question[0] + closed * question[1] + ranker * question[2]
        total += float(np.logaddexp.reduce(pooled) - pooled[0])
    return total / len(questions)


def fitted(questions: Sequence[NDArray[np.float64]]) -> tuple[float, float]:
    """Return the exponents that make the right options likeliest."""
    return min(GRID, key=lambda exponents: loss(questions, *exponents))


def main() -> None:
    """Fit, cross-validate, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", required=True, metavar="SPEC", help="a model that scores")
    parser.add_argument("--most", type=int, default=0, help="questions of each file; 0 for all")
    arguments = parser.parse_args()
    questions = opinions(arguments.model, arguments.most)
    right = 0
    for fold in range(FOLDS):
        kept = [q for n, q in enumerate(questions) if n % FOLDS != fold]
        closed, ranker = fitted(kept)
        for question in questions[fold::FOLDS]:
            pooled = question[0] + closed * question[1] + ranker * question[2]
            right += int(pooled.argmax()) == 0
    closed, ranker = fitted(questions)
    print(f"closed_weight {closed:.2f}  ranker_weight {ranker:.2f}")
    print(f"right by cross-validation: {right / len(questions):.3f} of {len(questions)}")


if __name__ == "__main__":
    main()
