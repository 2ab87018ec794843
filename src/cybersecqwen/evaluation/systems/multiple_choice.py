"""Multiple choice by a language model, averaged over rotations, with the book open or closed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import msgspec

from cybersecqwen.core.chat import Sampling
from cybersecqwen.core.ensemble import mixed
from cybersecqwen.core.interfaces import Backend, KnowledgeBaseLike
from cybersecqwen.core.records import ChoiceAnswer, Passage, Question
from cybersecqwen.evaluation.systems.systems import Asked, Response, batch_size
from cybersecqwen.llm.backends.common import require_capability
from cybersecqwen.llm.multiple_choice import (
    MIXED_WITH,
    Choice,
    MultipleChoiceConfig,
    evidence,
    letter_shares,
    mixed_with,
    ranked,
)


class OpenBook:
    """What a knowledge base says for questions, each looked up once.

    Args:
        book: The knowledge base.
        reading: How many passages are shown, and how long they may be.
    """

    def __init__(self, book: KnowledgeBaseLike, reading: MultipleChoiceConfig) -> None:
        self._book = book
        self._reading = reading
        self._found: dict[tuple[str, tuple[str, ...]], ChoiceAnswer] = {}

    def found(self, question: Question) -> ChoiceAnswer:
        """Return what the embedded reader makes of a question."""
        key = (_text(question), question.choices)
        if key not in self._found:
            self._found[key] = self._book.choose(*key)
        return self._found[key]

    def passages(self, question: Question) -> tuple[Passage, ...]:
        """Return the passages to show before a question."""
        found = self.found(question)
        return evidence(self._book, _text(question), question.choices, found, self._reading)


class RotatingSystem:
    """A language model's choice, averaged over rotations of the options.

    Args:
        backend: The model.
        reading: Over how many, and how much of the embedded reader's opinion to mix in.
        reader: That opinion; None where the book is closed.
    """

    sampled = False
    bare = False
    open_book = False

    def __init__(
        self,
        backend: Backend,
        reading: MultipleChoiceConfig,
        reader: Callable[[Question], ChoiceAnswer] | None = None,
    ) -> None:
        require_capability(backend.name, backend.capabilities, "score")
        if reader is None and reading.reader_weight:
            reading = msgspec.structs.replace(reading, reader_weight=0.0)
        self._backend = backend
        self._reading = reading
        self._reader = reader
        # What is read together shares rounding.
        self.align = batch_size(backend)
        self.identity = {"name": backend.name, "rotations": str(reading.rotations or "all")}
        if reader is not None:
            self.identity["passages"] = f"{reading.passages} of {reading.words} words at most"
            self.identity[MIXED_WITH] = mixed_with(reading.reader_weight)

    def answer(self, asked: Sequence[Asked], sampling: Sampling) -> Iterator[Response]:
        """Read each question in all rotations and take the likeliest option."""
        choices = (
            Choice(_text(item.question), item.question.choices, item.passages) for item in asked
        )
        start = time.perf_counter()
        shares = letter_shares(self._backend, choices, self._reading.rotations)
        for item, own in zip(asked, shares, strict=True):
            found = own
            if self._reader is not None and self._reading.reader_weight:
                others = self._reader(item.question).probabilities
                found = mixed(own, others, self._reading.reader_weight)
            candidates = ranked(found)
            now = time.perf_counter()
            yield Response(candidates[0][0], candidates[0][1], candidates, seconds=now - start)
            start = now


def _text(question: Question) -> str:
    return question.text or question.prompt
