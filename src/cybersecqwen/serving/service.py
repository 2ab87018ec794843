"""What a running service holds: the models, the knowledge base, and the queues before them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import httpx

from cybersecqwen.apps.ask import look_up_advisory
from cybersecqwen.apps.assess import Assessor
from cybersecqwen.apps.outputs.rows import RowMaker
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.interfaces import Backend
from cybersecqwen.core.model_spec import ModelSpec
from cybersecqwen.core.records import TechniquePrediction
from cybersecqwen.core.taxonomy import Taxonomy, shipped_taxonomy
from cybersecqwen.knowledge.base import KnowledgeBase
from cybersecqwen.knowledge.location import default_folder
from cybersecqwen.llm.answering import Answerer
from cybersecqwen.serving.batching import Batcher
from cybersecqwen.serving.errors import ApiError
from cybersecqwen.serving.model_loading import open_language_model, open_specialist
from cybersecqwen.serving.settings import ServeSettings
from cybersecqwen.serving.workers import BoundedExecutor
from cybersecqwen.specialists.technique import TechniqueClassifier

if TYPE_CHECKING:
    from cybersecqwen.llm.backends.openai_http import OpenAiBackend
    from cybersecqwen.specialists import CweMapper

log = logging.getLogger("cybersecqwen.serve")


class Upstream:
    """A server that speaks OpenAI's API, to which requests are passed through.

    Args:
        backend: The same server as a backend, which knows its address and key.
        seconds: Time limit of an answer.
    """

    def __init__(self, backend: OpenAiBackend, seconds: float) -> None:
        self.base = backend.base
        self.model = backend.model
        self.under_way = 0
        self.client = httpx.AsyncClient(
            headers=backend.headers,
            timeout=httpx.Timeout(seconds, connect=10.0),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=64),
            trust_env=False,
        )

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count a request while it is with the upstream."""
        self.under_way += 1
        try:
            yield
        finally:
            self.under_way -= 1


@dataclass
class Service:
    """A service's parts.

    Attributes:
        settings: What it was told.
        mapper: The specialist.
        knowledge: The knowledge base, if there is one.
        no_knowledge: Why there is none.
        backend: The language model, if there is one.
        taxonomy: The CWE catalogue.
        maker: Turns predictions into rows.
        draining: Whether it has been told to stop.
    """

    settings: ServeSettings
    mapper: CweMapper
    knowledge: KnowledgeBase | None
    no_knowledge: str
    backend: Backend | None
    taxonomy: Taxonomy = field(default_factory=shipped_taxonomy)
    draining: bool = False

    def __post_init__(self) -> None:
        limits = self.settings
        self.maker = RowMaker(self.taxonomy, self.mapper.name)
        self.batcher = Batcher(self.mapper, self.maker, limits.queue)
        self.jobs = BoundedExecutor("batches", limits.jobs, 3 * limits.jobs, by_turns=True)
        self.answers = BoundedExecutor("questions", limits.parallel, limits.answer_queue)
        self.lookups = BoundedExecutor("searches", 2, limits.queue)
        self.started = int(time.time())
        self.count_tokens: Callable[[int | None], None] = lambda _: None
        spec = ModelSpec.parse(self.backend.name if self.backend else None)
        passed_on = spec.scheme == "openai"
        self.upstream = Upstream(self.backend, limits.answer_seconds) if passed_on else None  # type: ignore[arg-type]

    @cached_property
    def assessor(self) -> Assessor:
        """The specialists that ship with the package, opened when they are first asked."""
        return Assessor.from_pretrained(knowledge=self.knowledge)

    @cached_property
    def technique_classifier(self) -> TechniqueClassifier:
        """The classifier of techniques that ships, opened when it is first asked."""
        return TechniqueClassifier.from_pretrained()

    def _technique_of(self, text: str) -> TechniquePrediction:
        return self.technique_classifier.predict(text)

    def book(self) -> KnowledgeBase:
        """Return the knowledge base.

        Raises:
            ApiError: There is none.
        """
        if self.knowledge is None:
            raise ApiError(503, self.no_knowledge, "no_knowledge_base")
        return self.knowledge

    def answerer(self, *, with_model: bool = True) -> Answerer:
        """Return what answers questions.

        Raises:
            ApiError: There is no knowledge base.
        """
        backend = self.backend if with_model else None
        return Answerer(
            self.book(),
            backend=backend,
            specialist=self.mapper,
            look_up=look_up_advisory,
            techniques=self._technique_of,
        )

    async def close(self) -> None:
        """Stop the threads and free the language model."""
        if self.upstream is not None:
            await self.upstream.client.aclose()
        for part in (self.batcher, self.jobs, self.answers, self.lookups):
            part.close()
        close = getattr(self.backend, "close", None)
        if close is not None:
            close()


def open_service(settings: ServeSettings) -> Service:
    """Load everything that the settings name.

    Raises:
        InputError: A model or a knowledge base that was named is not there, or its checksum is
            missing or wrong.
        MissingExtraError: The language model needs an optional package.
        ModelError: A model cannot be loaded.
    """
    mapper = open_specialist(settings)
    knowledge, reason = _open_knowledge(settings)
    backend = open_language_model(settings)
    return Service(settings, mapper, knowledge, reason, backend)


def _open_knowledge(settings: ServeSettings) -> tuple[KnowledgeBase | None, str]:
    folder = settings.kb or default_folder()
    try:
        return KnowledgeBase(folder), ""
    except InputError as error:
        if settings.kb or folder.exists():
            raise
        log.info("no knowledge base: %s", error)
        return None, (
            f"there is no knowledge base, which questions and searches need, at {folder}, which "
            "CYBERSECQWEN_KB names; unset it and start the service again to use the shipped one"
        )
