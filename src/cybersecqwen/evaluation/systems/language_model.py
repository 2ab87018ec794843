"""Language models as systems: one that writes, one that chooses, one that re-ranks."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from cybersecqwen.core.answer_parsing import AnswerKind
from cybersecqwen.core.chat import Sampling
from cybersecqwen.core.ensemble import softmax
from cybersecqwen.core.errors import InputError, ModelError
from cybersecqwen.core.interfaces import Backend
from cybersecqwen.core.prompts import LETTERS
from cybersecqwen.core.records import Labeller, Question
from cybersecqwen.core.taxonomy import Taxonomy
from cybersecqwen.evaluation.systems.base import (
    KEPT_CANDIDATES,
    Asked,
    Put,
    Response,
    Retrieve,
    bare_text,
    batch_size,
)
from cybersecqwen.evaluation.systems.specialist import response_of
from cybersecqwen.llm.multiple_choice import ranked
from cybersecqwen.llm.rerank import LlmReranker, choose


class _PromptedSystem:
    """A language model that reads what the protocol puts, with retrieved passages before it.

    Args:
        backend: The model.
        retrieve: Finds the passages; None for closed-book.
    """

    def __init__(self, backend: Backend, retrieve: Retrieve | None) -> None:
        self._backend = backend
        self._retrieve = retrieve
        self.open_book = retrieve is not None
        self.identity = {"name": backend.name}

    def ask(self, question: Question, put: Put) -> Asked:
        """Return the question as the protocol puts it."""
        return put(question, self._retrieve(question) if self._retrieve else ())


class WritingSystem(_PromptedSystem):
    """A language model that writes its answer; arguments as for ``_PromptedSystem``.

    Raises:
        ModelError: It cannot write.
    """

    sampled = True

    def __init__(self, backend: Backend, retrieve: Retrieve | None = None) -> None:
        if "generate" not in backend.capabilities:
            raise ModelError(f"{backend.name} cannot write answers; use --protocol constrained")
        super().__init__(backend, retrieve)
        self.align = batch_size(backend)

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


class ChoosingSystem(_PromptedSystem):
    """A language model whose answer is the likeliest of the permitted ones.

    Args:
        backend: The model.
        taxonomy: Where the permitted CWE ids come from: those that MITRE allows for mapping in
            view CWE-1003, the view that NVD labels with.
        retrieve: Finds passages; None for closed-book.

    Raises:
        ModelError: The model gives no probabilities.
    """

    sampled = False
    align = 1

    def __init__(
        self, backend: Backend, taxonomy: Taxonomy, retrieve: Retrieve | None = None
    ) -> None:
        if "score" not in backend.capabilities:
            raise ModelError(
                f"{backend.name} gives no log-probabilities of set answers, which protocol "
                "constrained needs; use another protocol"
            )
        super().__init__(backend, retrieve)
        self._cwes = [
            entry.id for entry in taxonomy if entry.in_1003 and taxonomy.is_mappable(entry.id)
        ]

    def answer(self, asked: Sequence[Asked], sampling: Sampling) -> Iterator[Response]:
        """Score each permitted answer and take the likeliest."""
        for item in asked:
            start = time.perf_counter()
            if item.question.choices:
                letters = LETTERS[: len(item.question.choices)]
                candidates = ranked(softmax(self._backend.score(item.messages, letters)))
            else:
                found = choose(self._backend, item.messages, self._cwes)
                candidates = tuple((one.cwe, one.probability) for one in found)
            candidates = candidates[:KEPT_CANDIDATES]
            seconds = time.perf_counter() - start
            yield Response(candidates[0][0], candidates[0][1], candidates, seconds=seconds)


class RerankingSystem:
    """A language model that re-ranks a specialist's candidates, as ``map`` runs it.

    Args:
        reranker: Both models.
        labeller: Whose convention to follow.
        backend: The language model's name.
    """

    sampled = False
    open_book = False

    def __init__(self, reranker: LlmReranker, labeller: Labeller, backend: str) -> None:
        self._reranker = reranker
        self._labeller = labeller
        self.align = reranker.window
        self.identity = {"name": backend, "shortlist": reranker.shortlist, "labeller": labeller}

    def ask(self, question: Question, put: Put) -> Asked:
        """Return the conversation that the re-ranker has about the question's bare text."""
        text = bare_text(question)
        return Asked(question, self._reranker.conversation(text, self._labeller))

    def answer(self, asked: Sequence[Asked], sampling: Sampling) -> Iterator[Response]:
        """Classify the questions' bare texts."""
        texts = (bare_text(item.question) for item in asked)
        start = time.perf_counter()
        for prediction in self._reranker.map_many(
            texts, labeller=self._labeller, top_k=KEPT_CANDIDATES
        ):
            now = time.perf_counter()
            yield response_of(prediction, now - start)
            start = now


def for_backend(
    backend: Backend,
    kind: AnswerKind,
    constrained: bool,
    taxonomy: Taxonomy,
    retrieve: Retrieve | None = None,
) -> WritingSystem | ChoosingSystem:
    """Return the system that puts a protocol's questions to a language model.

    Args:
        backend: The model.
        kind: What the task's answers are.
        constrained: Whether the answer is chosen among the permitted ones.
        taxonomy: Where the permitted CWE ids come from.
        retrieve: Finds passages; None for closed-book.

    Raises:
        InputError: The task's answers are no closed list to choose from.
        ModelError: The backend cannot do what the protocol needs.
    """
    if not constrained:
        return WritingSystem(backend, retrieve)
    if kind not in ("cwe", "choice"):
        raise InputError(f"protocol constrained chooses CWE ids and letters, not {kind} answers")
    return ChoosingSystem(backend, taxonomy, retrieve)
