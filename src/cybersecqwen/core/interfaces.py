"""What rooms expect of each other's parts, so that none has to import the other's room."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from cybersecqwen.core.records import Answer, ChoiceAnswer, CwePrediction, Labeller, Passage

Capability = Literal["generate", "score"]
"""``generate`` writes text; ``score`` gives log-probabilities of given continuations."""


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to draw an answer.

    Attributes:
        temperature: 0 is greedy.
        top_p: Nucleus mass, 0 to 1.
        max_tokens: New tokens at most.
        seed: Of the first answer; a batch's later answers derive theirs from it and their place.
        stop: Texts that end an answer.
        first_index: Place of the batch's first conversation in its run, so that a resumed run
            draws what an unbroken one would have drawn.
        raw: Let the model continue the turns' bare text, without its chat template.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    max_tokens: int = 512
    seed: int = 42
    stop: tuple[str, ...] = ()
    first_index: int = 0
    raw: bool = False


@dataclass(frozen=True, slots=True)
class Generation:
    """A written answer.

    Attributes:
        text: What the model wrote.
        finish: ``stop`` at an end token or stop text, ``length`` at the limit, ``error`` when the
            backend gave up on it.
        seconds: Wall time, shared out evenly inside a batch.
        new_tokens: Tokens written, or None where the backend does not say.
        error: Why, when ``finish`` is ``error``.
        prompt_tokens: Tokens read, or None where the backend does not say.
    """

    text: str
    finish: Literal["stop", "length", "error"]
    seconds: float
    new_tokens: int | None = None
    error: str = ""
    prompt_tokens: int | None = None


class Backend(Protocol):
    """A language model, wherever it runs."""

    @property
    def name(self) -> str:
        """The model SPEC it was opened from."""
        ...

    @property
    def abilities(self) -> frozenset[Capability]:
        """What it can do; calling for anything else raises ``ModelError``."""
        ...

    def generate(
        self, conversations: Iterable[Sequence[Message]], sampling: Sampling
    ) -> Iterator[Generation]:
        """Answer each conversation, in order, as answers become ready."""
        ...

    def stream(
        self, conversation: Sequence[Message], sampling: Sampling
    ) -> Iterator[str | Generation]:
        """Write one answer piece by piece, then yield the whole as a ``Generation``.

        The pieces joined are the whole's text, and it is what ``generate`` would have written.
        A backend that gives up says so in the whole, whose ``finish`` is then ``error``. Closing
        the iterator stops the writing.
        """
        ...

    def score(
        self,
        conversation: Sequence[Message],
        continuations: Sequence[str],
        *,
        whole: bool = False,
        offsets: Sequence[float] = (),
        within: float = math.inf,
    ) -> tuple[float, ...]:
        """Return the natural-log probability of each continuation as the assistant's first words.

        Args:
            conversation: What stands before.
            continuations: Texts.
            whole: Whether each is the whole answer, so that its probability is also that of the
                turn's end after it. Needed where one continuation begins another (``CWE-79``,
                ``CWE-798``).
            offsets: What will be added to each before they are compared; nothing by default.
            within: A continuation that falls behind the best by more nats than this may get an
                upper bound instead of its probability, which some backends find sooner.
        """
        ...


@runtime_checkable
class GroupScorer(Protocol):
    """A language model that scores conversations which begin alike faster together than alone."""

    def score_groups(
        self, groups: Iterable[tuple[Sequence[Sequence[Message]], Sequence[str]]]
    ) -> Iterator[list[tuple[float, ...]]]:
        """Yield, for each group, what ``Backend.score`` gives for each of its conversations.

        Args:
            groups: Conversations that begin alike, and the continuations to score after each.
        """
        ...


class Specialist(Protocol):
    """An embedded CWE classifier."""

    @property
    def name(self) -> str:
        """The model's name and version."""
        ...

    def map_many(
        self, texts: Iterable[str], *, labeller: Labeller = "nvd", top_k: int = 5
    ) -> Iterator[CwePrediction]:
        """Classify texts, in order, streaming."""
        ...


class CweClassifier(Protocol):
    """Anything that ``map`` can ask: a specialist, or a language model with one's shortlist.

    Attributes:
        window: Texts that are answered together; a resumed run starts again at a multiple of it.
    """

    window: int

    @property
    def name(self) -> str:
        """The model's name and version."""
        ...

    @property
    def digest(self) -> str:
        """What tells its answers from another model's."""
        ...

    def map(
        self,
        text: str,
        *,
        labeller: Labeller = "nvd",
        top_k: int = 5,
        threshold: float | None = None,
    ) -> CwePrediction:
        """Classify one text."""
        ...

    def map_many(
        self,
        texts: Iterable[str],
        *,
        labeller: Labeller = "nvd",
        top_k: int = 5,
        threshold: float | None = None,
    ) -> Iterator[CwePrediction]:
        """Classify texts, in order, streaming."""
        ...


class Retriever(Protocol):
    """A knowledge base that finds passages."""

    def search(self, query: str, limit: int = 8) -> list[tuple[Passage, float]]:
        """Return passages and their scores, best first."""
        ...


class KnowledgeBaseLike(Retriever, Protocol):
    """A knowledge base that answers without a language model."""

    def page(self, name: str) -> list[Passage]:
        """Return the passages of the page with an id such as ``CWE-79``; none if it has none."""
        ...

    def answer(self, question: str) -> Answer:
        """Answer in sentences taken from the passages, each cited, or say that it cannot."""
        ...

    def choose(self, question: str, choices: Sequence[str]) -> ChoiceAnswer:
        """Choose the option that the passages support best."""
        ...
