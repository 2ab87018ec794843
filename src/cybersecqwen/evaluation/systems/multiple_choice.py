"""Multiple choice as the product answers it, with or without a language model."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from cybersecqwen.core.chat import Sampling
from cybersecqwen.core.prompts import LETTERS
from cybersecqwen.core.records import ChoiceAnswer, Question
from cybersecqwen.evaluation.systems.base import (
    Asked,
    BareTextSystem,
    Put,
    Response,
    bare_text,
    batch_size,
)
from cybersecqwen.llm.multiple_choice import (
    MIXED_WITH,
    Choice,
    MultipleChoice,
    mixed_with,
    ranked,
)


class MultipleChoiceSystem:
    """A language model's choice, averaged over rotations of the options, as ``ask`` runs it.

    Args:
        chooser: The model, its configuration and, open-book, the knowledge base.
    """

    sampled = False

    def __init__(self, chooser: MultipleChoice) -> None:
        self._chooser = chooser
        self._looked_up: dict[tuple[str, tuple[str, ...]], Choice] = {}
        self.open_book = chooser.knowledge is not None
        # What is read together shares rounding.
        self.align = batch_size(chooser.backend)
        config = chooser.config
        self.identity = {
            "name": chooser.backend.name,
            "rotations": str(config.rotations or "all"),
        }
        if self.open_book:
            self.identity["passages"] = f"{config.passages} of {config.words} words at most"
            self.identity["closed-book exponent"] = f"{config.closed_weight:g}"
            self.identity[MIXED_WITH] = mixed_with(config.ranker_weight)

    def ask(self, question: Question, put: Put) -> Asked:
        """Return the question with its passages; the options stand in the question's own order,
        of which the model reads each rotation.
        """
        return put(question, self._look_up(question).passages)

    def answer(self, asked: Sequence[Asked], sampling: Sampling) -> Iterator[Response]:
        """Read each question in all rotations and take the likeliest option."""
        start = time.perf_counter()
        for found in self._chooser.decide(self._look_up(item.question) for item in asked):
            candidates = ranked(found.probabilities)
            now = time.perf_counter()
            yield Response(candidates[0][0], candidates[0][1], candidates, seconds=now - start)
            start = now

    def _look_up(self, question: Question) -> Choice:
        """Look a question up, once a run."""
        key = (bare_text(question), question.choices)
        if key not in self._looked_up:
            self._looked_up[key] = self._chooser.look_up(*key)
        return self._looked_up[key]


class KnowledgeBaseSystem(BareTextSystem):
    """The option that a knowledge base supports best; no language model.

    Args:
        choose: Answers a question given its options.
        name: What the log should call it.
    """

    open_book = True

    def __init__(self, choose: Callable[[str, Sequence[str]], ChoiceAnswer], name: str) -> None:
        self._choose = choose
        self.identity = {"name": name}

    def answer(self, asked: Sequence[Asked], sampling: Sampling) -> Iterator[Response]:
        """Take the likeliest option of each question."""
        for item in asked:
            start = time.perf_counter()
            shares = self._choose(item.text, item.question.choices).probabilities
            found = sorted(zip(shares, LETTERS, strict=False), key=lambda pair: -pair[0])
            candidates = tuple((letter, float(share)) for share, letter in found)
            seconds = time.perf_counter() - start
            yield Response(candidates[0][0], candidates[0][1], candidates, seconds=seconds)
