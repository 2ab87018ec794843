"""Fits how likely an option is true on its own, on questions of which none, one or more are.

A question with ``all of the above`` or ``both A and B`` asks of each option whether it is true. A
quiz has such questions in parts: one for the exception (``NOT``) has one false option and the rest
true ones, any other one true option and the rest false ones. Without the ``NOT``, and with some
of the options left out, they have any number of true ones.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from cybersecqwen.core.ensemble import softmax_rows
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.option_references import OptionReferences, option_references
from cybersecqwen.core.option_truth import OptionTruth
from cybersecqwen.core.prompts import LETTERS
from cybersecqwen.core.rows import QuizRow
from cybersecqwen.training.ranker.held import logistic_weights

_NOT = re.compile(r"\b(?:NOT|EXCEPT)\b ?")
_EXCEPTION = "-not"
_PENALTY = 0.0003
_NONE_SHARE = 0.3  # of the questions of which no option is left that is true


@dataclass(frozen=True, slots=True)
class TruthQuestion:
    """A question whose options are true or false each.

    Attributes:
        question: What is asked.
        choices: Plain options, two at least.
        true: Whether each is.
    """

    question: str
    choices: tuple[str, ...]
    true: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class MeasuredTruth:
    """A question, measured.

    Attributes:
        inputs: (options, F) of its plain options.
        scores: (options,) the ranker's.
        true: (options,) whether each is.
    """

    inputs: NDArray[np.float32]
    scores: NDArray[np.float64]
    true: tuple[bool, ...]


class TruthScore(msgspec.Struct, frozen=True):
    """How well questions with options that speak of others are answered.

    Attributes:
        questions: How many were asked.
        accuracy: Share answered right, 0 to 1.
        by_answer: The same where the right option is a plain one, ``all``, ``none`` or ``two``.
    """

    questions: int
    accuracy: float
    by_answer: dict[str, float]


def truth_rows(rows: Sequence[QuizRow], most: int) -> list[QuizRow]:
    """Return the rows to fit or try the probability of truth on: exceptions first, they are rare.

    Args:
        rows: A quiz, in an order drawn at random.
        most: How many to return at most; those for the exception are half of them at most.
    """
    exceptions = [row for row in rows if row.kind.endswith(_EXCEPTION)][: most // 2]
    others = [row for row in rows if not row.kind.endswith(_EXCEPTION)]
    return [*exceptions, *others[: most - len(exceptions)]]


def truth_questions(rows: Sequence[QuizRow], seed: int) -> Iterator[TruthQuestion]:
    """Yield questions of which none, one, two or all options are true, from a quiz's rows."""
    for row in rows:
        draw = random.Random(f"{seed} true {row.id}")
        if len(set(row.choices)) < len(row.choices):
            continue
        answer, others = row.choices[row.answer], list(row.choices)
        del others[row.answer]
        if len(others) < 2:
            continue
        if not row.kind.endswith(_EXCEPTION):
            none = draw.random() < _NONE_SHARE
            choices = others if none else [*others[1:], answer]
            draw.shuffle(choices)
            yield _judged(row.question, choices, set() if none else {answer})
            continue
        yield _judged(row.question, row.choices, {answer})  # of the exception, it alone is
        if draw.random() < _NONE_SHARE:
            yield _judged(row.question, others, set())
        question = _NOT.sub("", row.question)
        yield _judged(question, others, set(others))
        if len(others) > 2:
            some = [*others[1:], answer]
            draw.shuffle(some)
            yield _judged(question, some, set(others))


def _judged(question: str, choices: Sequence[str], true: set[str]) -> TruthQuestion:
    return TruthQuestion(question, tuple(choices), tuple(choice in true for choice in choices))


def with_references(
    question: TruthQuestion, seed: int
) -> tuple[tuple[str, ...], OptionReferences, int] | None:
    """Return a question's options with two that speak of them, what these say, and the right place.

    None where none of these would say what is true: three of four options are, or an option reads
    like one that speaks of others.
    """
    draw = random.Random(f"{seed} said {question.question} {question.choices[0]}")
    true = [place for place, held in enumerate(question.true) if held]
    count = len(question.choices)
    every, none = "All of the above", "None of the above"
    pair = sorted(draw.sample(range(count), 2)) if len(true) != 2 else true
    both = f"Both {LETTERS[pair[0]]} and {LETTERS[pair[1]]}"
    right = {0: none, 2: both}.get(len(true), "")
    if len(true) == count:
        right = every
    said = [right] if right else []
    others = [s for s in (both, every, none) if s != right and (s != both or count > 2)]
    said += draw.sample(others, 2 - len(said))
    said = [s for s in (both, every, none) if s in said]
    choices = (*question.choices, *said)
    found = option_references(choices)
    if found is None or found.plain != tuple(range(count)) or frozenset(true) not in found.sets:
        return None
    return choices, found, found.sets.index(frozenset(true))


def fit_truth(questions: Sequence[MeasuredTruth], names: Sequence[str]) -> OptionTruth:
    """Fit the probability that an option is true.

    Args:
        questions: Measured questions.
        names: What each of the inputs is; those over the best other option are left out.

    Raises:
        InputError: There are no true or no false options.
    """
    kept = [n for n, name in enumerate(names) if not name.endswith(", over the best other")]
    rows = np.concatenate(
        [np.column_stack([q.inputs[:, kept].astype(np.float64), q.scores]) for q in questions]
    )
    true = np.concatenate([np.array(q.true) for q in questions])
    if true.all() or not true.any():
        raise InputError("too few questions to tell true options from false ones")
    weights = logistic_weights(rows, true, _PENALTY).round(4)
    named = dict(zip([names[n] for n in kept], weights.tolist(), strict=False))
    return OptionTruth(named, float(weights[-2]), float(weights[-1]))


def score_truth(
    truth: OptionTruth,
    questions: Sequence[tuple[TruthQuestion, MeasuredTruth]],
    names: Sequence[str],
    seed: int,
) -> TruthScore:
    """Try the probability of truth on questions with options that speak of others."""
    right: dict[str, list[bool]] = {}
    for question, measured in questions:
        offered = with_references(question, seed)
        if offered is None:
            continue
        _, references, answer = offered
        shares = truth.shares(measured.inputs, measured.scores, names)
        alone = softmax_rows(measured.scores)
        best = int(references.probabilities(shares.tolist(), alone.tolist()).argmax())
        count = sum(question.true)
        kind = "all" if all(question.true) else {0: "none", 1: "a plain one"}.get(count, "two")
        right.setdefault(kind, []).append(best == answer)
    every = [one for found_of_kind in right.values() for one in found_of_kind]
    by = {kind: float(np.mean(found_of_kind)) for kind, found_of_kind in sorted(right.items())}
    return TruthScore(len(every), float(np.mean(every)) if every else 0.0, by)
