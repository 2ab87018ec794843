"""What can be evaluated: the Protocol that specialists, language models and baselines share."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

from cybersecqwen.core.chat import Message, Sampling
from cybersecqwen.core.concurrency import in_order
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.interfaces import Backend
from cybersecqwen.core.records import Passage, Question

KEPT_CANDIDATES = 10
"""Candidate answers that a log keeps of each response, at most."""

SPECIALIST_BATCH = 128
"""Questions that an embedded specialist answers as one batch, at most: few enough that a thousand
keep several workers busy."""

AnswerT = TypeVar("AnswerT")

Retrieve = Callable[[Question], Sequence[Passage]]
"""Finds the passages that an open-book system reads before a question."""

Put = Callable[[Question, Sequence[Passage]], "Asked"]
"""Puts a question, and passages before it, as the protocol says."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as it is put to a system.

    Attributes:
        question: The question.
        messages: The conversation that a language model reads; for other systems the bare text.
        passages: The passages in it.
    """

    question: Question
    messages: tuple[Message, ...]
    passages: tuple[Passage, ...] = ()

    @property
    def text(self) -> str:
        """The last message: what a system that reads bare texts is shown."""
        return self.messages[-1].content


@dataclass(frozen=True, slots=True)
class Response:
    """What a system answered.

    Attributes:
        text: Its words, or the bare answer where it writes none.
        confidence: Stated probability (0 to 1) of the answer, or None.
        candidates: Likeliest answers and their probabilities, best first.
        abstained: Whether the system would rather not answer.
        backoff: The broader answer that it stands by instead, if any.
        finish: ``error`` where the system gave up.
        seconds: Wall time.
        new_tokens: Tokens written, where known.
        error: Why it gave up.
    """

    text: str
    confidence: float | None = None
    candidates: tuple[tuple[str, float], ...] = ()
    abstained: bool = False
    backoff: str = ""
    finish: Literal["stop", "length", "error"] = "stop"
    seconds: float = 0.0
    new_tokens: int | None = None
    error: str = ""


class System(Protocol):
    """Anything that answers questions.

    Attributes:
        align: Questions that are answered as one batch and may shape each other's last digits; a
            resumed run starts at a multiple of it.
        sampled: Whether another trial can give another answer.
        open_book: Whether it looks things up.
        identity: What the log should say of it.
    """

    align: int
    sampled: bool
    open_book: bool
    identity: dict[str, str]

    def ask(self, question: Question, put: Put) -> Asked:
        """Return a question as this system reads it; ``put`` lays it out by the protocol."""
        ...

    def answer(self, asked: Sequence[Asked], sampling: Sampling) -> Iterator[Response]:
        """Answer in order; ``sampling.first_index`` is the first one's place in its trial."""
        ...


class BareTextSystem:
    """A system that reads a question's text without instructions: base of the others."""

    align = 1
    sampled = False
    open_book = False
    identity: dict[str, str]

    def ask(self, question: Question, put: Put) -> Asked:
        """Return the question's bare text."""
        return Asked(question, (Message("user", bare_text(question)),))


def bare_text(question: Question) -> str:
    """Return a question without instructions: its subject, else its prompt."""
    return question.text or question.prompt


def read_in_batches(
    read: Callable[[list[str]], Iterable[AnswerT]], asked: Sequence[Asked], size: int
) -> Iterator[tuple[AnswerT, float]]:
    """Yield a specialist's answer to each question's bare text, and the seconds that it took.

    Two batches are under way at once, as in ``map``: one is tokenised while the other is in the
    network.

    Args:
        read: Answers texts, in order; called by two threads.
        asked: The questions.
        size: Questions of a batch.
    """
    texts = [item.text for item in asked]
    batches = (texts[start : start + size] for start in range(0, len(texts), size))
    start = time.perf_counter()
    for answers in in_order(lambda batch: list(read(batch)), batches, 2):
        for answer in answers:
            now = time.perf_counter()
            yield answer, now - start
            start = now


def require_kind(spec: str, kind: str, allowed: str) -> None:
    """Refuse a system that answers other questions than the task's.

    Raises:
        InputError: The kinds differ.
    """
    if kind != allowed:
        raise InputError(f"{spec} answers {allowed} questions only; this task's answers are {kind}")


def batch_size(backend: Backend) -> int:
    """Return how many texts a backend takes together; padded together, they share rounding."""
    return max(1, int(getattr(backend, "batch_size", 1)))
