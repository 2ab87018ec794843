"""What rooms expect of each other's parts, so that none has to import the other's room."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from cybersecqwen.core.chat import Generation, Message, Sampling
from cybersecqwen.core.records import (
    Advisory,
    Answer,
    ChoiceAnswer,
    CwePrediction,
    Labeller,
    Passage,
    TechniquePrediction,
)

Capability = Literal["generate", "score"]
"""``generate`` writes text; ``score`` gives log-probabilities of given continuations."""


class Backend(Protocol):
    """A language model, wherever it runs."""

    @property
    def name(self) -> str:
        """The model SPEC it was opened from."""
        ...

    @property
    def capabilities(self) -> frozenset[Capability]:
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


class CweClassifier(Protocol):
    """A CWE classifier: an embedded specialist, or a language model that re-ranks its candidates.

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


def _never(_: str) -> bool:
    return False


def _nameless() -> str:
    return ""


@dataclass(frozen=True, slots=True)
class AnswerHelpers:
    """What answers some questions beside a knowledge base.

    Attributes:
        predict: Finds the weakness behind a description; None where no classifier is there.
        classifier: Returns its name.
        describes: Whether a question holds a vulnerability's description.
        look_up: Finds the record of a CVE id; None where there is no store.
        techniques: Finds the technique that a text is on; None where no classifier is there.
    """

    predict: Callable[[str], CwePrediction] | None = None
    classifier: Callable[[], str] = _nameless
    describes: Callable[[str], bool] = _never
    look_up: Callable[[str], Advisory | None] | None = None
    techniques: Callable[[str], TechniquePrediction] | None = None


NO_HELPERS = AnswerHelpers()


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

    def answer(
        self, question: str, *, history: Sequence[str] = (), helpers: AnswerHelpers = NO_HELPERS
    ) -> Answer:
        """Answer from the passages, each line cited, or say that it cannot.

        Args:
            question: The question.
            history: Earlier questions of the conversation, the oldest first.
            helpers: What answers beside the pages.
        """
        ...

    def choose(
        self, question: str, choices: Sequence[str], *, glossary: bool = True
    ) -> ChoiceAnswer:
        """Choose the option that the passages support best.

        Args:
            question: The question.
            choices: Its options.
            glossary: Whether the field's concepts count too, where the passages hold no answer.
        """
        ...

    def bearing(self, question: str, choices: Sequence[str], limit: int) -> list[Passage]:
        """Return the passages that bear most on a question and one of its options, best first.

        Args:
            question: The question.
            choices: Its options, in any order.
            limit: How many passages, at most.
        """
        ...

    def defined(self, text: str) -> list[Passage]:
        """Return what the glossary says of the field's concepts that a text names, in order."""
        ...
