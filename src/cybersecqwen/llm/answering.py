"""Grounded answers: what the knowledge base says, with or without a language model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cybersecqwen.core.protocols import Backend, Book, Specialist
from cybersecqwen.core.records import Answer, ChoiceAnswer


class Answerer:
    """Answers questions from a knowledge base and cites what it says.

    Args:
        retriever: The knowledge base.
        backend: A language model that writes answers from the passages; None for sentences taken
            from the passages as they stand.
        specialist: A CWE classifier, for questions that describe a vulnerability.
    """

    def __init__(
        self,
        retriever: Book,
        *,
        backend: Backend | None = None,
        specialist: Specialist | None = None,
    ) -> None:
        self._book = retriever
        self._backend = backend
        self._specialist = specialist

    def ask(self, question: str) -> Answer:
        """Answer a question, or say that the knowledge base does not hold it."""
        *_, whole = self.stream(question)
        assert isinstance(whole, Answer)
        return whole

    def stream(self, question: str) -> Iterator[str | Answer]:
        """Yield the answer's text piece by piece, then the checked whole."""
        whole = self._book.answer(question)
        yield whole.text
        yield whole

    def choose(self, question: str, choices: Sequence[str]) -> ChoiceAnswer:
        """Choose among the options of a multiple-choice question."""
        return self._book.choose(question, choices)
