"""Grounded answers: what the knowledge base says, with or without a language model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from cybersecqwen.core.chat import Message, Sampling
from cybersecqwen.core.errors import InputError, ModelError
from cybersecqwen.core.interfaces import (
    AnswerHelpers,
    Backend,
    CweClassifier,
    KnowledgeBaseLike,
)
from cybersecqwen.core.prompts import LETTERS
from cybersecqwen.core.question_intent import is_vulnerability_description
from cybersecqwen.core.records import Advisory, Answer, ChoiceAnswer, TechniquePrediction
from cybersecqwen.core.text.clean import clean
from cybersecqwen.llm.grounding import checked_answer, grounded_conversation, memory_conversation
from cybersecqwen.llm.multiple_choice import MultipleChoice, MultipleChoiceConfig

FROM_MEMORY = "From the model's memory, not from the knowledge base, and not checked:"

_SHOWN = 8  # passages that a language model writes from
_HISTORY_CHARACTERS = 4_000  # of earlier turns that a language model reads, the latest first


class Answerer:
    """Answers questions from a knowledge base and cites what it says.

    Args:
        retriever: The knowledge base.
        backend: A language model that writes answers from the passages, and chooses among options;
            None for sentences taken from the passages as they stand.
        specialist: A CWE classifier, for questions that describe a vulnerability.
        reading: How a language model chooses among options; None for the defaults.
        sampling: How a language model writes; None for greedy and 400 tokens at most.
        look_up: Finds the record of a CVE id in a local store; None where there is none.
        techniques: Finds the technique that a text is on, for questions that tell what was done.
    """

    def __init__(
        self,
        retriever: KnowledgeBaseLike,
        *,
        backend: Backend | None = None,
        specialist: CweClassifier | None = None,
        reading: MultipleChoiceConfig | None = None,
        sampling: Sampling | None = None,
        look_up: Callable[[str], Advisory | None] | None = None,
        techniques: Callable[[str], TechniquePrediction] | None = None,
    ) -> None:
        self._book = retriever
        self._backend = backend
        self._reading = reading or MultipleChoiceConfig()
        self._sampling = sampling or Sampling(max_tokens=400)
        self._helpers = AnswerHelpers(
            describes=is_vulnerability_description, look_up=look_up, techniques=techniques
        )
        if specialist is not None:
            classifier = specialist  # asked for nothing yet: it may not be loaded
            self._helpers = replace(
                self._helpers,
                predict=lambda text: next(iter(classifier.map_many([text]))),
                classifier=lambda: classifier.name,
            )

    def ask(self, question: str, history: Sequence[Message] = ()) -> Answer:
        """Answer a question, or say that the knowledge base does not hold it.

        Args:
            question: The question.
            history: The turns before it, the oldest first. What a question refers to is looked
                for in them, without a language model too.

        Raises:
            InputError: The question is empty.
            ModelError: The language model gives up.
        """
        for piece in self.stream(question, history):
            if isinstance(piece, Answer):
                return piece
        raise ModelError("the answer ended before it was whole")

    def stream(self, question: str, history: Sequence[Message] = ()) -> Iterator[str | Answer]:
        """Yield the answer's text piece by piece as it is written, then the checked whole.

        The whole's text is what counts: there, sentences without support are marked.

        Raises:
            InputError: The question is empty.
            ModelError: The language model gives up.
        """
        asked = [turn.content for turn in history if turn.role == "user"]
        plain = self._book.answer(question, history=asked, helpers=self._helpers)
        if not plain.question:
            raise InputError("the question is empty")
        if self._backend is None:
            yield plain.text
            yield plain
            return
        if plain.found:
            # A follow-up says little by itself; what it is about stands in the answer's subjects.
            query = " ".join([plain.question, *plain.subjects])
            found = [passage for passage, _ in self._book.search(query, _SHOWN)]
            # What answers without a model is evidence that plain search may rank lower.
            shown = list(dict.fromkeys([*plain.passages, *found]))[:_SHOWN]
            conversation = grounded_conversation(plain.question, shown, _recent(history))
        else:
            yield f"{FROM_MEMORY}\n"
            shown = []
            conversation = memory_conversation(plain.question, _recent(history))
        text = ""
        for piece in self._backend.stream(conversation, self._sampling):
            if isinstance(piece, str):
                yield piece
            elif piece.finish == "error":
                raise ModelError(f"{self._backend.name}: {piece.error}")
            else:
                text = piece.text
        if plain.found:
            yield checked_answer(text, shown, plain)
        else:
            remembered = f"{FROM_MEMORY}\n{text.strip()}"
            yield replace(plain, text=remembered, from_memory=True)

    def choose(self, question: str, choices: Sequence[str]) -> ChoiceAnswer:
        """Choose among 2 to 10 options; the order in which they come counts for nothing.

        With a language model, its probabilities of the letters after the passages, averaged over
        rotations of the options and mixed with the option ranker's; see
        ``MultipleChoiceConfig``. Each option keeps the passage that supports it best.

        Raises:
            InputError: The question is empty, or there are too few or too many options.
            ModelError: The language model gives no probabilities.
        """
        if not clean(question):
            raise InputError("the question is empty")
        if not 2 <= len(choices) <= len(LETTERS):
            raise InputError(f"a choice is among 2 to {len(LETTERS)} options, not {len(choices)}")
        if self._backend is None:
            return self._book.choose(question, choices)
        return MultipleChoice(self._backend, self._reading, self._book).choose(question, choices)


def _recent(history: Sequence[Message]) -> list[Message]:
    """Return the latest turns that fit, beginning with the user's."""
    kept: list[Message] = []
    left = _HISTORY_CHARACTERS
    for turn in reversed(history):
        left -= len(turn.content)
        if left < 0:
            break
        kept.append(turn)
    while kept and kept[-1].role != "user":
        kept.pop()
    return kept[::-1]
