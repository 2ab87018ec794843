"""Grounded answers: what the knowledge base says, with or without a language model."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from cybersecqwen.core.asking import describes_vulnerability
from cybersecqwen.core.errors import InputError, ModelError
from cybersecqwen.core.prompts import (
    CHOICE_LETTER,
    LETTERS,
    defused,
    grounded_conversation,
    render_question,
)
from cybersecqwen.core.protocols import Backend, Book, Sampling, Specialist
from cybersecqwen.core.records import Answer, ChoiceAnswer, CwePrediction, Passage, Question
from cybersecqwen.core.text import clean
from cybersecqwen.llm.common import require_ability
from cybersecqwen.llm.grounding import Claim, claims_of

SHOWN = 8
"""Passages that a language model reads before it answers."""

NOT_HELD = "What the model wrote does not hold against the passages; these are their own words:"

_OF_WEAKNESS = 4  # passages of the page that a specialist points to
_REFUSED = "not in the knowledge base"


class Answerer:
    """Answers questions from a knowledge base and cites what it says.

    Args:
        retriever: The knowledge base.
        backend: A language model that writes answers from the passages, and chooses among options;
            None for sentences taken from the passages as they stand.
        specialist: A CWE classifier, for questions that describe a vulnerability.
        rotations: Orders of the options over which a language model's choice is averaged; None
            for as many as there are options, after which no place is favoured.
        sampling: How a language model writes; None for greedy and 400 tokens at most.
    """

    def __init__(
        self,
        retriever: Book,
        *,
        backend: Backend | None = None,
        specialist: Specialist | None = None,
        rotations: int | None = None,
        sampling: Sampling | None = None,
    ) -> None:
        if rotations is not None and rotations < 1:
            raise InputError(f"rotations must be at least 1, not {rotations}")
        self._book = retriever
        self._backend = backend
        self._specialist = specialist
        self._rotations = rotations
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

        With a language model, its probabilities of the letters, after eight passages, averaged
        over rotations of the options; each option keeps the passage that supports it best.

        Raises:
            InputError: The question is empty, or there are too few or too many options.
            ModelError: The language model gives no probabilities.
        """
        if not clean(question):
            raise InputError("the question is empty")
        if not 2 <= len(choices) <= len(LETTERS):
            raise InputError(f"a choice is among 2 to {len(LETTERS)} options, not {len(choices)}")
        found = self._book.choose(question, choices)
        if self._backend is None:
            return found
        require_ability(self._backend.name, self._backend.abilities, "score")
        shares = self._read_choices(self._backend, question, choices)
        best = max(range(len(choices)), key=shares.__getitem__)
        return replace(found, best=best, probabilities=tuple(shares))

    def _predict(self, question: str) -> CwePrediction | None:
        if self._specialist is None or not describes_vulnerability(question):
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
        found = [passage for passage, _ in self._book.search(question, SHOWN)]
        # What answers without a model is evidence that plain search may rank lower.
        quoted = list(self._extract(question, prediction).passages)
        page = self._book.page(prediction.cwe)[:_OF_WEAKNESS] if prediction else []
        return list(dict.fromkeys([*quoted, *page, *found]))[:SHOWN]

    def _written(
        self, backend: Backend, question: str, shown: Sequence[Passage], plain: Answer
    ) -> Iterator[str | Answer]:
        """Let the language model write, then check what it wrote."""
        conversation = defused(grounded_conversation(question, shown))
        text = ""
        for piece in backend.stream(conversation, self._sampling):
            if isinstance(piece, str):
                yield piece
            elif piece.finish == "error":
                raise ModelError(f"{backend.name}: {piece.error}")
            else:
                text = piece.text
        yield _checked(text, shown, plain)

    def _read_choices(self, backend: Backend, question: str, choices: Sequence[str]) -> list[float]:
        """Return each option's probability, averaged over rotations of the options."""
        count = len(choices)
        letters = list(LETTERS[:count])
        # From an order of their own, so that the one they came in leaves no trace.
        places = sorted(range(count), key=lambda place: choices[place])
        passages = self._evidence(question, choices)
        turns = range(min(self._rotations or count, count))
        totals = [0.0] * count
        for turn in turns:
            order = places[turn:] + places[:turn]
            item = Question(
                id="",
                task="",
                prompt=question,
                gold="",
                choices=tuple(choices[place] for place in order),
            )
            conversation = defused(render_question(item, CHOICE_LETTER, passages=passages))
            scores = backend.score(conversation, letters)
            highest = max(scores)
            weights = [math.exp(score - highest) for score in scores]
            for place, weight in zip(order, weights, strict=True):
                totals[place] += weight / sum(weights) / len(turns)
        return totals

    def _evidence(self, question: str, choices: Sequence[str]) -> list[Passage]:
        """Return passages for the question and for each option, in an order that no option sets."""
        supporting = [p for p in self._book.choose(question, choices).passages if p is not None]
        supporting.sort(key=lambda passage: passage.id)
        found = [passage for passage, _ in self._book.search(question, SHOWN)]
        kept = list(dict.fromkeys(supporting))[:SHOWN]
        return [*[p for p in found if p not in kept][: SHOWN - len(kept)], *kept]


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
