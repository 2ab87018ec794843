"""Grounded answers: what the knowledge base says, with or without a language model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from cybersecqwen.core.chat import Sampling
from cybersecqwen.core.errors import InputError, ModelError
from cybersecqwen.core.interfaces import Backend, CweClassifier, KnowledgeBaseLike
from cybersecqwen.core.prompts import LETTERS, escape_special_tokens, grounded_conversation
from cybersecqwen.core.question_intent import is_vulnerability_description
from cybersecqwen.core.records import Answer, ChoiceAnswer, CwePrediction, Passage
from cybersecqwen.core.text.clean import clean
from cybersecqwen.llm.grounding import Claim, claims_of
from cybersecqwen.llm.multiple_choice import MultipleChoice, MultipleChoiceConfig

NOT_HELD = "What the model wrote does not hold against the passages; these are their own words:"

_SHOWN = 8  # passages that a language model writes from
_OF_WEAKNESS = 4  # passages of the page that a specialist points to
_REFUSED = "not in the knowledge base"


class Answerer:
    """Answers questions from a knowledge base and cites what it says.

    Args:
        retriever: The knowledge base.
        backend: A language model that writes answers from the passages, and chooses among options;
            None for sentences taken from the passages as they stand.
        specialist: A CWE classifier, for questions that describe a vulnerability.
        reading: How a language model chooses among options; None for the defaults.
        sampling: How a language model writes; None for greedy and 400 tokens at most.
    """

    def __init__(
        self,
        retriever: KnowledgeBaseLike,
        *,
        backend: Backend | None = None,
        specialist: CweClassifier | None = None,
        reading: MultipleChoiceConfig | None = None,
        sampling: Sampling | None = None,
    ) -> None:
        self._book = retriever
        self._backend = backend
        self._specialist = specialist
        self._reading = reading or MultipleChoiceConfig()
        self._sampling = sampling or Sampling(max_tokens=400)

    def ask(self, question: str) -> Answer:
        """Answer a question, or say that the knowledge base does not hold it.

        Raises:
            InputError: The question is empty.
            ModelError: The language model gives up.
        """
        for piece in self.stream(question):
            if isinstance(piece, Answer):
                return piece
        raise ModelError("the answer ended before it was whole")

    def stream(self, question: str) -> Iterator[str | Answer]:
        """Yield the answer's text piece by piece as it is written, then the checked whole.

        The whole's text is what counts: there, sentences without support are marked.

        Raises:
            InputError: The question is empty.
            ModelError: The language model gives up.
        """
        question = clean(question)
        if not question:
            raise InputError("the question is empty")
        prediction = self._predict(question)
        plain = self._extract(question, prediction)
        if self._backend is None:
            yield plain.text
            yield plain
            return
        shown = self._shown(question, prediction)
        if not shown:
            yield plain.text
            yield plain
            return
        yield from self._written(self._backend, question, shown, plain)

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

    def _predict(self, question: str) -> CwePrediction | None:
        if self._specialist is None or not is_vulnerability_description(question):
            return None
        return next(iter(self._specialist.map_many([question])))

    def _extract(self, question: str, prediction: CwePrediction | None) -> Answer:
        """Answer in the passages' own words; a vulnerability's from the page of its weakness."""
        if prediction is None:
            return self._book.answer(question)
        found = [self._book.answer(f"{ask} {prediction.cwe}?") for ask in _ASKED_OF_WEAKNESS]
        held = [answer for answer in found if answer.found]
        passages = tuple(passage for answer in held for passage in answer.passages)
        lines = [self._verdict(prediction), *(answer.text for answer in held)]
        return Answer(
            "\n".join(lines),
            tuple(passage.id for passage in passages),
            passages,
            prediction=prediction,
        )

    def _verdict(self, prediction: CwePrediction) -> str:
        name = self._specialist.name if self._specialist else ""
        page = self._book.page(prediction.cwe)
        titled = f"{prediction.cwe} {page[0].title}" if page else prediction.cwe
        sure = "Likely weakness" if not prediction.abstained else "Unsure; perhaps"
        return f"{sure}: {titled}, confidence {prediction.confidence:.2f} ({name})."

    def _shown(self, question: str, prediction: CwePrediction | None) -> list[Passage]:
        """Return the passages that a language model reads."""
        found = [passage for passage, _ in self._book.search(question, _SHOWN)]
        # What answers without a model is evidence that plain search may rank lower.
        quoted = list(self._extract(question, prediction).passages)
        page = self._book.page(prediction.cwe)[:_OF_WEAKNESS] if prediction else []
        return list(dict.fromkeys([*quoted, *page, *found]))[:_SHOWN]

    def _written(
        self, backend: Backend, question: str, shown: Sequence[Passage], plain: Answer
    ) -> Iterator[str | Answer]:
        """Let the language model write, then check what it wrote."""
        conversation = escape_special_tokens(grounded_conversation(question, shown))
        text = ""
        for piece in backend.stream(conversation, self._sampling):
            if isinstance(piece, str):
                yield piece
            elif piece.finish == "error":
                raise ModelError(f"{backend.name}: {piece.error}")
            else:
                text = piece.text
        yield _checked(text, shown, plain)


_ASKED_OF_WEAKNESS = ("What is", "How can I prevent", "What are the consequences of")


def _checked(text: str, shown: Sequence[Passage], plain: Answer) -> Answer:
    """Return what a language model wrote, its sentences checked; else the passages' own words."""
    if _REFUSED in text.lower() and len(text) < 2 * len(_REFUSED):
        return replace(plain, text=text.strip(), citations=(), passages=(), found=False)
    claims = claims_of(text, shown)
    if not any(claim.holds for claim in claims):
        unsupported = tuple(claim.text for claim in claims)
        if not plain.found:
            return replace(plain, unsupported=unsupported)
        return replace(plain, text=f"{NOT_HELD}\n{plain.text}", unsupported=unsupported)
    passages = tuple(dict.fromkeys(p for claim in claims if claim.holds for p in claim.passages))
    return Answer(
        "\n".join(claim.rendered for claim in claims),
        tuple(passage.id for passage in passages),
        passages,
        unsupported=_without_support(claims),
        prediction=plain.prediction,
    )


def _without_support(claims: Sequence[Claim]) -> tuple[str, ...]:
    return tuple(claim.text for claim in claims if not claim.holds)
