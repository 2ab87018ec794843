"""Asking: what answers questions, opened from what a user names, and its answers as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cybersecqwen.apps.deferred_classifier import DeferredClassifier
from cybersecqwen.core.paths import advisory_store_file
from cybersecqwen.core.prompts import LETTERS
from cybersecqwen.core.records import Advisory, Answer, ChoiceAnswer
from cybersecqwen.knowledge.base import KnowledgeBase
from cybersecqwen.llm import open_backend
from cybersecqwen.llm.answering import Answerer
from cybersecqwen.llm.multiple_choice import CONFIG_FIELDS, multiple_choice_config


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
    reading = multiple_choice_config(
        {name: given.pop(name) for name in CONFIG_FIELDS if name in given}
    )
    backend = open_backend(model, **given) if model else None
    return Answerer(
        KnowledgeBase.load(knowledge),
        backend=backend,
        specialist=DeferredClassifier(),
        reading=reading,
        look_up=look_up_advisory,
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
