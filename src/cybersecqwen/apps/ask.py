"""Asking: what answers questions, opened from what a user names, and its answers as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cybersecqwen.apps.deferred_classifier import DeferredClassifier, DeferredTechniqueClassifier
from cybersecqwen.apps.freshness import knowledge_warning
from cybersecqwen.core.errors import ModelError
from cybersecqwen.core.held_decision import LEAST_HELD
from cybersecqwen.core.paths import advisory_store_file
from cybersecqwen.core.prompts import LETTERS
from cybersecqwen.core.records import Advisory, Answer, ChoiceAnswer
from cybersecqwen.knowledge.base import KnowledgeBase
from cybersecqwen.knowledge.location import existing_folder
from cybersecqwen.llm import open_backend
from cybersecqwen.llm.answering import Answerer
from cybersecqwen.llm.multiple_choice import CONFIG_FIELDS, multiple_choice_config

NO_MODEL = "none"
"""What stands for a language model's name where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskJob:
    """A question, and what is to answer it.

    Attributes:
        question: The question.
        choices: Options of a multiple choice, 2 to 10; empty for a question in words.
        knowledge: The knowledge base's folder; None for the default one.
        model: SPEC of a language model that writes or chooses; empty for none.
        options: As for ``open_answerer``.
    """

    question: str
    choices: tuple[str, ...] = ()
    knowledge: Path | None = None
    model: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AskReply:
    """What became of a question.

    Attributes:
        answer: The answer, or the choice among the options.
        model: SPEC of the language model that answered; ``none`` for none.
        warning: What is past the age that the site sets; empty for nothing.
    """

    answer: Answer | ChoiceAnswer
    model: str
    warning: str

    @property
    def is_guess(self) -> bool:
        """Whether a choice rests on passages that hardly answer the question."""
        answer = self.answer
        return (
            isinstance(answer, ChoiceAnswer) and self.model == NO_MODEL and answer.held < LEAST_HELD
        )

    def fields(self) -> dict[str, Any]:
        """Return the JSON object that the command line prints."""
        if isinstance(self.answer, Answer):
            found = answer_fields(self.answer, self.model)
        else:
            found = choice_fields(self.answer, self.model)
        return found | ({"warning": self.warning} if self.warning else {})


def run_ask_job(job: AskJob, on_text: Callable[[str], None] = lambda _: None) -> AskReply:
    """Answer one question.

    Args:
        job: The question.
        on_text: Called with each piece of what is written, as it is written; the answer's own text
            is what counts, where sentences without support are marked.

    Raises:
        InputError: There is no such knowledge base, model or option, or the question is empty.
        MissingExtraError: The language model needs an optional package.
        ModelError: The model cannot be loaded, or gives up.
    """
    answerer = open_answerer(job.knowledge, job.model, job.options)
    answer: Answer | ChoiceAnswer
    if job.choices:
        answer = answerer.choose(job.question, job.choices)
    else:
        answer = _written(answerer.stream(job.question), on_text)
    return AskReply(answer, job.model or NO_MODEL, knowledge_warning(job.knowledge))


def _written(pieces: Iterator[str | Answer], on_text: Callable[[str], None]) -> Answer:
    for piece in pieces:
        if isinstance(piece, Answer):
            return piece
        on_text(piece)
    raise ModelError("the answer ended before it was whole")


def open_answerer(
    knowledge: Path | None = None, model: str = "", options: Mapping[str, Any] | None = None
) -> Answerer:
    """Open what answers questions.

    Args:
        knowledge: The knowledge base's folder; None for the default one.
        model: SPEC of a language model that writes or chooses; empty for none.
        options: Of the language model, and of how it chooses among options.

    Raises:
        InputError: There is no such knowledge base or model, or no such option.
        MissingExtraError: The language model needs an optional package.
        ModelError: The model cannot be loaded.
    """
    given = dict(options or {})
    folder = existing_folder(knowledge)
    reading = multiple_choice_config(
        {name: given.pop(name) for name in CONFIG_FIELDS if name in given}
    )
    backend = open_backend(model, **given) if model else None
    return Answerer(
        KnowledgeBase.load(folder),
        backend=backend,
        specialist=DeferredClassifier(),
        reading=reading,
        look_up=look_up_advisory,
        techniques=DeferredTechniqueClassifier().predict,
    )


def look_up_advisory(name: str) -> Advisory | None:
    """Return the record of an id in the local store of advisories; None where there is none.

    Raises:
        InputError: The store is damaged.
    """
    if not advisory_store_file().is_file():
        return None
    from cybersecqwen.apps.store import open_store  # every reader of advisories comes with it

    # Opened anew each time: what answers may run in any thread, and a store in one alone.
    store = open_store()
    if store is None:
        return None
    try:
        return store.get(name)
    finally:
        store.close()


def answer_fields(answer: Answer, model: str) -> dict[str, Any]:
    """Return an answer as the JSON object that the command line and the service give."""
    return {
        "text": answer.text,
        "direct": [asdict(line) for line in answer.direct],
        "sections": [asdict(section) for section in answer.sections],
        "citations": list(answer.citations),
        "passages": [asdict(passage) for passage in answer.passages],
        "found": answer.found,
        "from_memory": answer.from_memory,
        "corrections": list(answer.corrections),
        "nearest": list(answer.nearest),
        "intent": answer.intent,
        "subjects": list(answer.subjects),
        "unsupported": list(answer.unsupported),
        "prediction": asdict(answer.prediction) if answer.prediction else None,
        "model": model,
    }


def choice_fields(chosen: ChoiceAnswer, model: str) -> dict[str, Any]:
    """Return a choice as the JSON object that the command line and the service give."""
    return {
        "best": chosen.best,
        "letter": LETTERS[chosen.best],
        "probabilities": list(chosen.probabilities),
        "passage": asdict(chosen.passage) if chosen.passage else None,
        "passages": [asdict(found) if found else None for found in chosen.passages],
        "held": chosen.held,
        "model": model,
    }
