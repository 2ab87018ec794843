"""What can be evaluated, behind one small Protocol: specialists, language models, baselines."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from cybersecqwen.core.answer_parsing import AnswerKind
from cybersecqwen.core.chat import Message, Sampling
from cybersecqwen.core.ensemble import checked_weight, log_opinion, softmax
from cybersecqwen.core.errors import InputError, ModelError
from cybersecqwen.core.interfaces import Backend, CweClassifier
from cybersecqwen.core.prompts import LETTERS
from cybersecqwen.core.records import Labeller, Passage, Question
from cybersecqwen.core.taxonomy import Taxonomy
from cybersecqwen.llm.multiple_choice import ranked
from cybersecqwen.llm.rerank import choose, listed_by

_WINDOW = 1024
"""Texts that a specialist answers together; a resumed run starts again at a multiple of it."""

_KEPT_CANDIDATES = 10


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, the conversation that puts it to a system, and what the open book says."""

    question: Question
    messages: tuple[Message, ...]
    passages: tuple[Passage, ...] = ()

    @property
    def text(self) -> str:
        """What a system that reads bare texts is shown: the last message."""
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
        bare: Whether it reads the question's bare text, and answers with a bare answer.
        open_book: Whether it looks things up.
        identity: What the log should say of it.
    """

    align: int
    sampled: bool
    bare: bool
    open_book: bool
    identity: dict[str, str]

    def answer(self, asked: Sequence[Asked], sampling: Sampling) -> Iterator[Response]:
        """Answer in order; ``sampling.first_index`` is the first one's place in its trial."""
        ...


class SpecialistSystem:
    """An embedded classifier.

    Args:
        specialist: The model.
        labeller: Whose convention to follow.
    """

    sampled = False
    bare = True
    open_book = False
    align = _WINDOW

    def __init__(self, specialist: CweClassifier, labeller: Labeller) -> None:
        self._specialist = specialist
        self._labeller = labeller
        self.identity = {"name": specialist.name, "labeller": labeller}
        digest = getattr(specialist, "digest", "")
        if digest:
            self.identity["digest"] = digest

    def answer(self, asked: Sequence[Asked], sampling: Sampling) -> Iterator[Response]:
        """Classify the questions' bare texts."""
        texts = (item.text for item in asked)
        start = time.perf_counter()
        for prediction in self._specialist.map_many(
            texts, labeller=self._labeller, top_k=_KEPT_CANDIDATES
        ):
            now = time.perf_counter()
            yield Response(
                prediction.cwe,
                prediction.confidence,
                tuple((found.cwe, found.probability) for found in prediction.candidates),
                prediction.abstained,
                prediction.backoff.cwe if prediction.backoff else "",
                seconds=now - start,
            )
            start = now


class WritingSystem:
    """A language model that writes its answer."""

    sampled = True
    bare = False
    open_book = False

    def __init__(self, backend: Backend) -> None:
        if "generate" not in backend.capabilities:
            raise ModelError(f"{backend.name} cannot write answers; use --protocol constrained")
        self._backend = backend
        self.align = batch_size(backend)
        self.identity = {"name": backend.name}

    def answer(self, asked: Sequence[Asked], sampling: Sampling) -> Iterator[Response]:
        """Let the model write."""
        conversations = (item.messages for item in asked)
        for done in self._backend.generate(conversations, sampling):
            yield Response(
                done.text,
                finish=done.finish,
                seconds=done.seconds,
                new_tokens=done.new_tokens,
                error=done.error,
            )


@dataclass(frozen=True, slots=True)
class Shortlist:
    """A specialist's likeliest ids, of which alone a language model may choose.

    Attributes:
        specialist: The specialist.
        size: How many ids.
        labeller: Whose convention it keeps.
        weight: Exponent of its probabilities, by which the language model's are multiplied.

    Raises:
        InputError: The weight is no exponent.
    """

    specialist: CweClassifier
    size: int
    labeller: Labeller
    weight: float = 0.0

    def __post_init__(self) -> None:
        """Check the weight."""
        checked_weight("the shortlist's weight", self.weight)


class ChoosingSystem:
    """A language model whose answer is the likeliest of the permitted ones.

    Args:
        backend: The model.
        taxonomy: Where the permitted CWE ids come from: those that MITRE allows for mapping in
            view CWE-1003, the view that NVD labels with.
        shortlist: Whose likeliest ids are permitted instead, if anybody's.
    """

    sampled = False
    bare = False
    open_book = False
    align = 1

    def __init__(
        self, backend: Backend, taxonomy: Taxonomy, shortlist: Shortlist | None = None
    ) -> None:
        if "score" not in backend.capabilities:
            raise ModelError(
                f"{backend.name} gives no log-probabilities of set answers, which protocol "
                "constrained needs; use another protocol"
            )
        self._backend = backend
        self._cwes = [
            entry.id for entry in taxonomy if entry.in_1003 and taxonomy.is_mappable(entry.id)
        ]
        self._shortlist = shortlist
        self.identity = {"name": backend.name}
        if shortlist is not None:
            listed = listed_by(shortlist.size, shortlist.specialist.name, shortlist.weight)
            self.identity["shortlist"] = listed

    def answer(self, asked: Sequence[Asked], sampling: Sampling) -> Iterator[Response]:
        """Score each permitted answer and take the likeliest."""
        for item, (cwes, prior) in zip(asked, self._permitted(asked), strict=True):
            start = time.perf_counter()
            if item.question.choices:
                letters = LETTERS[: len(item.question.choices)]
                candidates = ranked(softmax(self._backend.score(item.messages, letters)))
            else:
                found = choose(self._backend, item.messages, cwes, prior)
                candidates = tuple((one.cwe, one.probability) for one in found)
            candidates = candidates[:_KEPT_CANDIDATES]
            yield Response(
                candidates[0][0],
                candidates[0][1],
                candidates,
                seconds=time.perf_counter() - start,
            )

    def _permitted(self, asked: Sequence[Asked]) -> Iterator[tuple[list[str], list[float]]]:
        """Yield each question's permitted ids, and what is added to their log-probabilities."""
        listed = self._shortlist
        if listed is None:
            yield from ((self._cwes, []) for _ in asked)
            return
        texts = (item.question.text or item.question.prompt for item in asked)
        for found in listed.specialist.map_many(texts, labeller=listed.labeller, top_k=listed.size):
            shares = [candidate.probability for candidate in found.candidates]
            yield [one.cwe for one in found.candidates], log_opinion(shares, listed.weight)


def for_backend(
    backend: Backend,
    kind: AnswerKind,
    constrained: bool,
    taxonomy: Taxonomy,
    shortlist: Shortlist | None = None,
) -> System:
    """Return the system that puts a protocol's questions to a language model.

    Args:
        backend: The model.
        kind: What the task's answers are.
        constrained: Whether the answer is chosen among the permitted ones.
        taxonomy: Where the permitted CWE ids come from.
        shortlist: Whose likeliest ids are permitted instead, if anybody's.

    Raises:
        InputError: The task's answers are no closed list to choose from, or have no shortlist.
        ModelError: The backend cannot do what the protocol needs.
    """
    if shortlist is not None and not (constrained and kind == "cwe"):
        raise InputError("a shortlist goes with protocol constrained and CWE ids alone")
    if not constrained:
        return WritingSystem(backend)
    if kind not in ("cwe", "choice"):
        raise InputError(f"protocol constrained chooses CWE ids and letters, not {kind} answers")
    return ChoosingSystem(backend, taxonomy, shortlist)


def first_at(sampling: Sampling, seed: int, index: int) -> Sampling:
    """Return the sampling of a trial from one of its questions on."""
    return replace(sampling, seed=seed, first_index=index)


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
