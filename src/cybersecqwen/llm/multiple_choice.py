"""Multiple choice by a language model that reads passages, alone or beside the embedded reader.

The model gives each letter a probability; averaged over rotations of the options, no letter is
favoured (Zheng et al., ICLR 2024, arXiv 2309.03882, measure how much letters are otherwise).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from cybersecqwen.core.chat import Message
from cybersecqwen.core.config import Recipe
from cybersecqwen.core.ensemble import checked_weight, softmax
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.interfaces import Backend, GroupScorer, KnowledgeBaseLike
from cybersecqwen.core.prompts import CHOICE_LETTER, LETTERS, escape_special_tokens, render_question
from cybersecqwen.core.records import ChoiceAnswer, Passage, Question
from cybersecqwen.llm.excerpts import excerpts

# Of 4, 8, 12 and 16 passages of 90 words, those after which the right options are likeliest; then
# the exponent that makes them likeliest of all (it was to be 1 at most, where both opinions count
# alike). On 400 validation questions of our own (``corpus quiz``, thinned), with
# Qwen2.5-Coder-1.5B-Instruct (Q4_K_M, read as bfloat16), at commit f266b49. Neither was fitted for
# any other model, and no benchmark was looked at; ``eval mix`` fits the exponent anew.
SHOWN = 4
"""Passages that a language model reads before it chooses among options."""

EXCERPT = 90
"""Words that each of them may have."""

READER_WEIGHT = 0.9
"""Exponent of the embedded reader's probabilities where both are mixed."""

MIXED_WITH = "mixed with"
"""Under what name a log's heading says ``mixed_with``."""


class MultipleChoiceConfig(Recipe, frozen=True):
    """How a language model chooses among options.

    Attributes:
        passages: That it reads.
        words: Of each passage at most.
        rotations: Orders of the options over which its choice is averaged; None for as many as
            there are options, after which no place is favoured.
        reader_weight: Exponent of the embedded reader's probabilities, by which the model's are
            multiplied; 0 for the language model alone.
    """

    passages: int = SHOWN
    words: int = EXCERPT
    rotations: int | None = None
    reader_weight: float = READER_WEIGHT

    def __post_init__(self) -> None:
        """Refuse numbers that mean nothing.

        Raises:
            InputError: One of them is too small.
        """
        for name in ("passages", "words", "rotations"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"{name} must be at least 1, not {value}")
        checked_weight("reader_weight", self.reader_weight)


READING_FIELDS = MultipleChoiceConfig.__struct_fields__


def reading_of(options: Mapping[str, object]) -> MultipleChoiceConfig:
    """Return how to choose from what a user gave; ``all`` rotations are the default.

    Raises:
        InputError: There is no such option, or it has a wrong value.
    """
    given = {name: None if value == "all" else value for name, value in options.items()}
    try:
        return msgspec.convert(given, MultipleChoiceConfig)
    except msgspec.ValidationError as error:
        raise InputError(f"how to choose: {error}") from error


@dataclass(frozen=True, slots=True)
class Choice:
    """A multiple-choice question, and what is to be read before it."""

    question: str
    options: tuple[str, ...]
    passages: tuple[Passage, ...] = ()


def evidence(
    book: KnowledgeBaseLike,
    question: str,
    options: Sequence[str],
    found: ChoiceAnswer,
    reading: MultipleChoiceConfig,
) -> tuple[Passage, ...]:
    """Return the passages for a question and its options, in an order that no option sets.

    Those that the embedded reader found to support an option best come last, next to the
    question; before them those that the question and its options find, the best nearest.

    Args:
        book: The knowledge base.
        question: What is asked.
        options: To choose among.
        found: What the embedded reader made of it.
        reading: How many passages, and how long.
    """
    supporting = sorted(
        {passage for passage in found.passages if passage is not None}, key=lambda p: p.id
    )[: reading.passages]
    whole = " ".join([question, *sorted(options)])
    # One search for the whole and one for the question: options may drown what is asked.
    ranked = _interleaved(
        book.search(whole, reading.passages), book.search(question, reading.passages)
    )
    others = [passage for passage in ranked if passage not in supporting]
    others = others[: reading.passages - len(supporting)]
    return tuple(excerpts([*reversed(others), *supporting], whole, reading.words))


def _interleaved(
    first: Sequence[tuple[Passage, float]], second: Sequence[tuple[Passage, float]]
) -> list[Passage]:
    pairs = [
        found[n][0]
        for n in range(max(len(first), len(second)))
        for found in (first, second)
        if n < len(found)
    ]
    return list(dict.fromkeys(pairs))


def letter_shares(
    backend: Backend, choices: Iterable[Choice], rotations: int | None
) -> Iterator[list[float]]:
    """Yield each question's probabilities of its options, in order.

    Args:
        backend: A language model that scores.
        choices: The questions.
        rotations: As in ``MultipleChoiceConfig``.

    Raises:
        ModelError: The language model gives no probabilities.
    """
    asked: list[tuple[list[list[int]], int]] = []

    def groups() -> Iterator[tuple[list[list[Message]], list[str]]]:
        for choice in choices:
            orders = _orders(choice.options, rotations)
            asked.append((orders, len(choice.options)))
            yield [_put(choice, order) for order in orders], list(LETTERS[: len(choice.options)])

    for scores in _scored(backend, groups()):
        orders, count = asked.pop(0)
        totals = [0.0] * count
        for order, row in zip(orders, scores, strict=True):
            for place, share in zip(order, softmax(row), strict=True):
                totals[place] += share / len(orders)
        yield totals


def ranked(shares: Sequence[float]) -> tuple[tuple[str, float], ...]:
    """Return each option's letter and probability, the likeliest first."""
    lettered = zip(LETTERS, shares, strict=False)
    return tuple(sorted(lettered, key=lambda pair: -pair[1]))


def mixed_with(weight: float) -> str:
    """Return in words what a choice was mixed with, for the heading of a log."""
    return f"the embedded reader, exponent {weight:g}" if weight else "nothing"


def _orders(options: Sequence[str], rotations: int | None) -> list[list[int]]:
    """Return the rotations of an order that does not depend on how the options came."""
    count = len(options)
    places = sorted(range(count), key=lambda place: options[place])
    return [places[turn:] + places[:turn] for turn in range(min(rotations or count, count))]


def _put(choice: Choice, order: Sequence[int]) -> list[Message]:
    item = Question(
        id="",
        task="",
        prompt=choice.question,
        gold="",
        choices=tuple(choice.options[place] for place in order),
    )
    return escape_special_tokens(render_question(item, CHOICE_LETTER, passages=choice.passages))


def _scored(
    backend: Backend, groups: Iterator[tuple[list[list[Message]], list[str]]]
) -> Iterator[list[tuple[float, ...]]]:
    if isinstance(backend, GroupScorer):
        yield from backend.score_groups(groups)
        return
    for conversations, letters in groups:
        yield [backend.score(conversation, letters) for conversation in conversations]
