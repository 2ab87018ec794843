"""Multiple choice by a language model, open-book or closed-book, alone or with the option ranker.

The model gives each letter a probability; averaged over rotations of the options, no letter is
favoured (Zheng et al., ICLR 2024, arXiv 2309.03882, measure how much letters are otherwise).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

import msgspec

from cybersecqwen.core.chat import Message
from cybersecqwen.core.config import Recipe
from cybersecqwen.core.ensemble import checked_weight, mixed, softmax
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.held_decision import LEAST_HELD
from cybersecqwen.core.interfaces import Backend, GroupScorer, KnowledgeBaseLike
from cybersecqwen.core.option_references import option_references, relettered
from cybersecqwen.core.prompts import CHOICE_LETTER, LETTERS, escape_special_tokens, render_question
from cybersecqwen.core.records import ChoiceAnswer, Passage, Question
from cybersecqwen.core.text.excerpts import EXCERPT_WORDS, excerpts
from cybersecqwen.llm.backends.common import require_capability

# Of 4, 8, 12 and 16 passages of 90 words, those after which the right options are likeliest, on 400
# validation questions of our own (``corpus quiz``, thinned), with Qwen2.5-Coder-1.5B-Instruct. They
# were found by an earlier look-up; by today's, four are again better than six or eight (426 of our
# own, an adapter of that model: docs/experiments/multiple-choice.md).
SHOWN = 4
"""Passages that a language model reads before it chooses among options."""

# The exponents that make the right options of our own questions likeliest, with that model: 94
# that the pages answer (``evaluation/inside_questions.yaml``), 105 that they do not
# (``outside_questions.yaml``) and 200 of a quiz, which count a quarter. No benchmark was used.
CLOSED_WEIGHT = 1.2
"""Exponent of the model's own closed-book probabilities beside its open-book ones.

Passages mislead a model on questions that they do not answer; what it says without them pulls it
back.
"""

RANKER_WEIGHT = 0.36
"""Exponent of the option ranker's probabilities in the ensemble."""

MIXED_WITH = "mixed with"
"""Key of a log's heading whose value ``mixed_with`` returns."""


class MultipleChoiceConfig(Recipe, frozen=True):
    """How a language model chooses among options.

    Attributes:
        passages: Passages in front of the question, at most; at least 1.
        words: Words of each passage, at most; at least 1.
        rotations: Orders of the options that its choice is averaged over; None for as many as
            there are options, after which no position is favoured.
        ranker_weight: Exponent of the option ranker's probabilities, by which the language
            model's are multiplied; 0 for the language model alone.
        closed_weight: Exponent of the model's closed-book probabilities, by which its open-book
            ones are multiplied; 0 for a model that reads each question with its passages alone.
    """

    passages: int = SHOWN
    words: int = EXCERPT_WORDS
    rotations: int | None = None
    ranker_weight: float = RANKER_WEIGHT
    closed_weight: float = CLOSED_WEIGHT

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            InputError: A number is out of range.
        """
        for name in ("passages", "words", "rotations"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"{name} must be at least 1, not {value}")
        checked_weight("ranker_weight", self.ranker_weight)
        checked_weight("closed_weight", self.closed_weight)


_OLD_NAMES = {"reader_weight": "ranker_weight"}  # up to version 0.1
CONFIG_FIELDS = (*MultipleChoiceConfig.__struct_fields__, *_OLD_NAMES)
"""Names of the options that ``multiple_choice_config`` takes."""


def multiple_choice_config(options: Mapping[str, object]) -> MultipleChoiceConfig:
    """Return the configuration that a user's options make; ``all`` rotations are the default.

    Raises:
        InputError: There is no such option, or it has a wrong value.
    """
    given = {
        _OLD_NAMES.get(name, name): None if value == "all" else value
        for name, value in options.items()
    }
    try:
        return msgspec.convert(given, MultipleChoiceConfig)
    except msgspec.ValidationError as error:
        raise InputError(f"multiple choice: {error}") from error


@dataclass(frozen=True, slots=True)
class Choice:
    """A multiple-choice question with what was looked up for it.

    Attributes:
        question: What is asked.
        options: To choose among.
        passages: To be read before the question.
        ranked: What the option ranker says, if the choice is open-book.
    """

    question: str
    options: tuple[str, ...]
    passages: tuple[Passage, ...] = ()
    ranked: ChoiceAnswer | None = None


class MultipleChoice:
    """Chooses among options by a language model's probabilities of the letters.

    They are averaged over rotations of the options and, open-book, multiplied by its closed-book
    ones and by the option ranker's, each to the power of a weight: a log-linear pool.

    Args:
        backend: A language model that scores.
        config: How to choose; None for the defaults.
        knowledge: The knowledge base; None for closed-book.

    Raises:
        ModelError: The language model gives no probabilities.
    """

    def __init__(
        self,
        backend: Backend,
        config: MultipleChoiceConfig | None = None,
        knowledge: KnowledgeBaseLike | None = None,
    ) -> None:
        require_capability(backend.name, backend.capabilities, "score")
        config = config or MultipleChoiceConfig()
        if knowledge is None and config.ranker_weight:
            config = msgspec.structs.replace(config, ranker_weight=0.0)
        self.backend = backend
        self.config = config
        self.knowledge = knowledge

    def look_up(self, question: str, options: Sequence[str]) -> Choice:
        """Return a question with the passages to read and the option ranker's answer."""
        if self.knowledge is None:
            return Choice(question, tuple(options))
        return look_up(self.knowledge, question, options, self.config)

    def decide(self, choices: Iterable[Choice]) -> Iterator[ChoiceAnswer]:
        """Yield an answer to each question, in order; questions are read as answers are drawn.

        Each option keeps the passage that the option ranker found to support it best.
        """
        asked: deque[Choice] = deque()
        closed = self.config.closed_weight

        def readings() -> Iterator[Choice]:
            for choice in choices:
                asked.append(choice)
                yield choice
                if closed and choice.passages:
                    yield replace(choice, passages=())

        shares = letter_shares(self.backend, readings(), self.config.rotations)
        for opened in shares:
            choice = asked.popleft()
            both = closed and choice.passages
            own = mixed(opened, next(shares), closed) if both else opened
            count = len(choice.options)
            found = choice.ranked or ChoiceAnswer(0, tuple([1 / count] * count), (None,) * count)
            weight = self.config.ranker_weight
            whole = mixed(own, found.probabilities, weight) if weight else own
            best = max(range(count), key=whole.__getitem__)
            yield replace(found, best=best, probabilities=tuple(whole))

    def choose(self, question: str, options: Sequence[str]) -> ChoiceAnswer:
        """Answer one question."""
        return next(self.decide([self.look_up(question, options)]))


def look_up(
    knowledge: KnowledgeBaseLike,
    question: str,
    options: Sequence[str],
    config: MultipleChoiceConfig,
) -> Choice:
    """Return a question with the passages to read and the option ranker's answer."""
    room = config.passages
    told = knowledge.defined(" ".join([question, *options]))[: (room + 1) // 2]
    # What the ranker says is the same with the glossary where the pages hold the answer.
    ranked = knowledge.choose(question, options, glossary=bool(told))
    passages = evidence(knowledge, question, options, ranked, room)
    if told and ranked.held < LEAST_HELD:
        # The pages may yet hold the answer, but what the ranker finds in them is a guess.
        pages = [passage for passage in passages if passage not in told]
        passages = [*pages[max(0, len(pages) + len(told) - room) :], *told]
        even = tuple([1 / len(options)] * len(options))
        ranked = replace(ranked, probabilities=even)
    whole = " ".join([question, *sorted(options)])
    cut = excerpts(passages, whole, config.words)
    return Choice(question, tuple(options), tuple(cut), ranked)


def evidence(
    knowledge: KnowledgeBaseLike,
    question: str,
    options: Sequence[str],
    found: ChoiceAnswer,
    limit: int,
) -> list[Passage]:
    """Return the passages for a question and its options, the best last, next to the question.

    Those that bear most on the question and an option are taken in turn with those that the option
    ranker found to support an option best, the likeliest option's first.

    Args:
        knowledge: The knowledge base.
        question: What is asked.
        options: To choose among; their order changes nothing.
        found: The option ranker's answer.
        limit: How many passages, at most.
    """
    likeliest = sorted(range(len(options)), key=lambda n: (-found.probabilities[n], options[n]))
    supporting = (found.passages[place] for place in likeliest)
    lists = (
        knowledge.bearing(question, options, limit),
        [passage for passage in dict.fromkeys(supporting) if passage is not None],
    )
    both = (passage for pair in zip_longest(*lists) for passage in pair if passage is not None)
    return list(dict.fromkeys(both))[:limit][::-1]


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
    return f"the option ranker, exponent {weight:g}" if weight else "nothing"


def _orders(options: Sequence[str], rotations: int | None) -> list[list[int]]:
    """Return the rotations of an order that does not depend on how the options came.

    Options that speak of others ("all of the above") stay behind those.
    """
    references = option_references(options)
    last = list(references.referring) if references else []
    places = sorted(set(range(len(options))) - set(last), key=lambda place: options[place])
    count = len(places)
    return [
        places[turn:] + places[:turn] + last
        for turn in range(min(rotations or len(options), count))
    ]


def _put(choice: Choice, order: Sequence[int]) -> list[Message]:
    item = Question(
        id="",
        task="",
        prompt=choice.question,
        gold="",
        choices=tuple(relettered(choice.options, order)),
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
