"""One run of the option ranker's training: read, fit, calibrate, score, write."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from cybersecqwen.core.config import read_yaml
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.files import write_json
from cybersecqwen.core.option_ranker import OptionRanker
from cybersecqwen.core.rows import QuizRow, read_quiz_rows
from cybersecqwen.training.ranker.fit import (
    Floats,
    RankerMetrics,
    Score,
    calibrated,
    fit_ranker,
    score_by,
    score_ranker,
)
from cybersecqwen.training.ranker.held import HeldScore, fit_held
from cybersecqwen.training.ranker.truth import (
    MeasuredTruth,
    TruthQuestion,
    TruthScore,
    fit_truth,
    score_truth,
    truth_questions,
    truth_rows,
)
from cybersecqwen.training.recipes.ranker import RankerRecipe

_SENTENCE_WORDS = 6
"""From how many words on an option is a sentence, which can be told in other words."""

_TRUTH_ROWS = 1600
"""Rows of a quiz that the probability of truth is fitted to, and as many to try it on, at most."""


class RankerResults(msgspec.Struct, frozen=True):
    """What a run reached on pages that it did not train on.

    Attributes:
        temperature: Softmax temperature of the probabilities.
        scores: All validation questions; those of the wording held out; by how far they were
            thinned; by kind.
        held: How well questions that the pages answer are told from others, where that was fitted.
        truth: How well questions with options that speak of others are answered.
    """

    temperature: float
    scores: dict[str, Score]
    held: HeldScore | None = None
    truth: TruthScore | None = None


class OutsideQuestion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A multiple-choice question that the pages do not answer; the right option stands first."""

    question: str
    choices: tuple[str, ...]


def read_quiz(path: Path, seed: int, most: int = 0) -> list[QuizRow]:
    """Read a quiz's file, in an order drawn from a seed, so many questions at most; 0 for all.

    Raises:
        InputError: The file is missing or a line is no question; the message names the line.
    """
    rows = [row for _, row in read_quiz_rows(path)]
    random.Random(seed).shuffle(rows)
    return rows[:most] if most else rows


def read_outside(path: Path) -> list[OutsideQuestion]:
    """Read questions that the pages do not answer.

    Raises:
        InputError: The file is missing, or no list of such questions.
    """
    try:
        return msgspec.convert(read_yaml(path), list[OutsideQuestion])
    except msgspec.ValidationError as error:
        raise InputError(f"{path}: {error}") from error


def blur(row: QuizRow, words: Sequence[str], recipe: RankerRecipe) -> tuple[str, tuple[str, ...]]:
    """Return a row's question and options as if somebody had told them from memory.

    Questions made from sentences share far more words with their passage than those that people
    and language models write. So a share of the words, drawn anew for each question from none to
    ``recipe.blurred``, is lost: half of it left out, half of it replaced by other questions'
    words. Names and ids stay: words that are not in small letters, and short options.

    Args:
        row: The question.
        words: Words that may take others' places.
        recipe: Whose seed and share hold.
    """
    draw = random.Random(f"{recipe.seed} {row.id}")
    share = draw.uniform(0, recipe.blurred)

    def told(text: str) -> str:
        kept = []
        for word in text.split():
            if not word.islower() or draw.random() >= share:  # names, ids and NOT stay
                kept.append(word)
            elif draw.random() < 0.5:
                kept.append(draw.choice(words))
        return " ".join(kept) or text

    choices = tuple(told(c) if len(c.split()) >= _SENTENCE_WORDS else c for c in row.choices)
    return told(row.question), choices


def train_ranker(
    train: Sequence[RankerMetrics],
    validation: Sequence[RankerMetrics],
    names: tuple[str, ...],
    recipe: RankerRecipe,
    out: Path,
) -> RankerResults:
    """Fit an option ranker and write it.

    The temperature is chosen on the validation questions, whose pages are not in training. The
    wording held out takes part in neither.

    Raises:
        InputError: There is nothing to train on.
    """
    held = recipe.held_out_wording
    seen = [q for q in validation if q.wording != held]
    network = fit_ranker([q for q in train if q.wording != held], names, recipe)
    network = calibrated(network, seen)
    network.save(out)
    scores = {"all": score_ranker(network, seen)}
    if held:
        unseen = [q for q in validation if q.wording == held]
        scores[f"wording {held}, held out"] = score_ranker(network, unseen)
    scores |= score_by(network, seen, lambda q: f"paraphrase level {q.paraphrase_level}")
    scores |= score_by(network, seen, lambda q: q.kind)
    return RankerResults(network.temperature, scores)


def train_held(
    inside: Sequence[Floats], outside: Sequence[Floats], names: tuple[str, ...], ranker: Path
) -> HeldScore:
    """Fit the decision whether the pages answer a question, and write it beside the ranker.

    Args:
        inside: Measurements (options, F) of each question that the pages answer.
        outside: Of each that they do not.
        names: What each of the F is.
        ranker: The ranker's file; the decision's has ``.held.json`` for its ending.

    Raises:
        InputError: There are too few questions.
    """
    decision, score = fit_held(inside, outside, names)
    write_json(ranker.with_suffix(".held.json"), decision)
    return score


def train_truth(
    train: Sequence[QuizRow],
    validation: Sequence[QuizRow],
    measure: Callable[[str, Sequence[str]], Floats],
    names: tuple[str, ...],
    recipe: RankerRecipe,
    ranker: Path,
) -> TruthScore | None:
    """Fit the probability that an option is true, and write it beside the ranker.

    None, and nothing written, where the rows give no questions of which several options are true
    or none: rows of two options do not.

    Args:
        train: Rows to fit it to.
        validation: Rows to try it on, of pages that are not in training.
        measure: Returns the measurements (options, F) of a question's options.
        names: What each of the F is.
        recipe: Whose seed and share of lost words hold.
        ranker: The ranker's file; the probability's has ``.truth.json`` for its ending.

    Raises:
        InputError: There are no true or no false options.
        ModelError: The ranker cannot be read.
    """
    network = OptionRanker.read(ranker.read_bytes(), names, ranker.name)
    words = [word for row in train for word in row.question.split()]
    parts: list[list[tuple[TruthQuestion, MeasuredTruth]]] = []
    for rows in (train, validation):
        told = []
        for row in truth_rows(rows, _TRUTH_ROWS):
            question, choices = blur(row, words, recipe)
            told.append(msgspec.structs.replace(row, question=question, choices=choices))
        measured = []
        for asked in truth_questions(told, recipe.seed):
            inputs = measure(asked.question, asked.choices)
            found = MeasuredTruth(inputs, network.logits(inputs), asked.true)
            measured.append((asked, found))
        parts.append(measured)
    if not all(parts):
        return None
    truth = fit_truth([measured for _, measured in parts[0]], names)
    write_json(ranker.with_suffix(".truth.json"), truth)
    return score_truth(truth, parts[1], names, recipe.seed)
