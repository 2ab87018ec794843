"""The REST routes: map, ask, search, look up; health, readiness and metrics."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Iterator
from dataclasses import asdict
from itertools import islice
from typing import Annotated, Any, get_args

import msgspec
from fastapi import APIRouter, Body, Path, Request
from starlette.responses import JSONResponse, Response

from cybersecqwen import __version__
from cybersecqwen.apps.ask import answer_fields, choice_fields
from cybersecqwen.apps.freshness import knowledge_warning
from cybersecqwen.core.chat import Message
from cybersecqwen.core.records import Answer, Labeller
from cybersecqwen.core.taxonomy import canonical_cwe
from cybersecqwen.core.text.clean import has_text
from cybersecqwen.llm.answering import Answerer
from cybersecqwen.serving.errors import ApiError
from cybersecqwen.serving.model_loading import remote_host
from cybersecqwen.serving.names import model_name
from cybersecqwen.serving.routes import schemas
from cybersecqwen.serving.service import Service
from cybersecqwen.serving.streaming import (
    SSE,
    Streamed,
    begun,
    event,
    failure,
    timed,
    wants,
)

router = APIRouter()


def service_of(request: Request) -> Service:
    """Return the service that answers a request."""
    service: Service = request.app.state.service
    return service


@router.get("/health", tags=["operation"])
async def health() -> dict[str, str]:
    """Say that the process runs."""
    return {"status": "ok"}


@router.get("/ready", tags=["operation"], responses={503: {"model": schemas.ErrorOut}})
async def ready(request: Request) -> dict[str, str]:
    """Say whether new requests should come here: not while the service stops."""
    if service_of(request).draining:
        raise ApiError(503, "the service is stopping", "draining")
    return {"status": "ok"}


@router.get("/metrics", tags=["operation"], response_class=Response)
async def metrics(request: Request) -> Response:
    """Give counts for Prometheus."""
    return Response(request.app.state.metrics.text(), media_type="text/plain; version=0.0.4")


@router.get("/api/info", tags=["operation"])
async def info(request: Request) -> dict[str, Any]:
    """Say what this service is made of and what it allows."""
    service = service_of(request)
    config = service.mapper.config
    limits = service.settings
    knowledge = service.knowledge
    return {
        "version": __version__,
        "model": {
            "name": service.mapper.name,
            "digest": service.mapper.digest,
            "labellers": [name for name in get_args(Labeller) if name in config.labellers],
            "labels": len(config.labels),
        },
        "llm": model_name(service.backend.name) if service.backend else None,
        "sends_to": remote_host(limits.model),
        "knowledge": knowledge
        and {
            "sources": [
                {"name": source.name, "version": source.version}
                for source in knowledge.manifest.sources
            ],
            "passages": len(knowledge),
        },
        "limits": {
            "body_bytes": limits.max_body_bytes,
            "file_bytes": limits.max_file_bytes,
            "items": limits.max_items,
            "tokens": limits.max_tokens,
            "request_seconds": limits.request_seconds,
            "answer_seconds": limits.answer_seconds,
            "job_seconds": limits.job_seconds,
        },
    }


@router.post(
    "/api/ask",
    tags=["ask"],
    response_model=schemas.AnswerOut | schemas.ChoiceOut,
    responses={200: {"content": {SSE: {}}}},
)
async def ask(request: Request, asked: Annotated[schemas.AskRequest, Body()]) -> Response:
    """Answer a question from the knowledge base, with citations; as events if asked for."""
    service = service_of(request)
    if not has_text(asked.question):
        raise ApiError(400, "question: has nothing to read", "empty_text")
    pieces = answer_pieces(service, asked)
    if wants(request, SSE):
        return Streamed(_events(service, await begun(pieces)), media_type=SSE)
    async with contextlib.aclosing(pieces):
        async for piece in pieces:
            if not isinstance(piece, str):
                return JSONResponse(piece)
    raise ApiError(502, "the answer broke off", "model_error")


async def answer_pieces(
    service: Service, asked: schemas.AskRequest
) -> AsyncGenerator[str | dict[str, Any]]:
    """Yield an answer's pieces, then the whole as an object."""
    answerer = service.answerer()
    model = model_name(service.backend.name) if service.backend else service.mapper.name
    workers = service.answers if service.backend else service.lookups
    if asked.choices is not None:
        choices = asked.choices
        chosen = await workers.call(lambda: _chooser(service).choose(asked.question, choices))
        yield choice_fields(chosen, model) | {"warning": knowledge_warning(service.settings.kb)}
        return
    history = [Message(turn.role, turn.content) for turn in asked.history]
    pieces = workers.draw(lambda: answerer.stream(asked.question, history))
    async with contextlib.aclosing(pieces):
        async for piece in pieces:
            yield piece if isinstance(piece, str) else _answer_fields(service, piece, model)


def _chooser(service: Service) -> Answerer:
    """Return what chooses among options: the passages alone where the model gives no scores.

    Asking a model what it can do may take a request; call this in a thread.
    """
    scores = service.backend is not None and "score" in service.backend.capabilities
    return service.answerer(with_model=scores)


def _answer_fields(service: Service, answer: Answer, model: str) -> dict[str, Any]:
    """Return an answer with the names of pages, and its prediction as a row of ``map``."""
    prediction = answer.prediction
    row = prediction and service.maker.row("question", prediction)
    return answer_fields(answer, model) | {
        "nearest": [_page(service, name) for name in answer.nearest],
        "subjects": [_page(service, name) for name in answer.subjects],
        "prediction": msgspec.to_builtins(row),
        "warning": knowledge_warning(service.settings.kb),
    }


def _page(service: Service, name: str) -> dict[str, str]:
    return {"id": name, "name": service.book().title(name)}


async def _events(
    service: Service, pieces: AsyncGenerator[str | dict[str, Any]]
) -> AsyncGenerator[bytes]:
    try:
        async for piece in timed(pieces, service.settings.answer_seconds):
            if isinstance(piece, str):
                yield event({"text": piece}, "delta")
            else:
                yield event(piece, "answer")
    except Exception as error:
        yield event(failure(error), "error")


@router.post("/api/search", tags=["ask"], response_model=schemas.Hits)
async def search(request: Request, asked: Annotated[schemas.SearchRequest, Body()]) -> Response:
    """Find passages of the knowledge base."""
    service = service_of(request)
    book = service.book()
    found = await service.lookups.call(lambda: book.search(asked.query, asked.limit))
    return JSONResponse(
        {"passages": [{**asdict(passage), "score": score} for passage, score in found]}
    )


@router.get("/api/cwe/{cwe}", tags=["ask"], response_model=schemas.CweOut)
async def cwe(request: Request, cwe: Annotated[str, Path(max_length=40)]) -> Response:
    """Look a weakness up: its place in the tree (CWE-1000) and what the knowledge base has."""
    service = service_of(request)
    found = cwe_json(service, cwe)
    if found is None:
        raise ApiError(404, f"CWE {service.taxonomy.version} has no such entry", "no_such_cwe")
    return JSONResponse(found)


def cwe_json(service: Service, text: str) -> dict[str, Any] | None:
    """Return what is known of a weakness, or None where there is no such entry."""
    taxonomy = service.taxonomy
    entry = taxonomy.get(canonical_cwe(text) or "")
    if entry is None:
        return None
    book = service.knowledge
    passages = book.page(entry.id) if book else []
    patterns = book.attack_patterns(entry.id) if book else []
    return {
        "id": entry.id,
        "name": entry.name,
        "kind": entry.kind,
        "usage": entry.usage,
        "deprecated": entry.deprecated,
        "parents": [_named(service, parent) for parent in entry.parents],
        "children": [
            {"id": other.id, "name": other.name} for other in taxonomy if entry.id in other.parents
        ],
        "path": [_named(service, step) for step in _path(service, entry.id)],
        "passages": [asdict(passage) for passage in passages],
        "attack_patterns": [found.row() for found in patterns],
    }


def _named(service: Service, cwe: str) -> dict[str, str]:
    return {"id": cwe, "name": service.taxonomy.name(cwe)}


def _path(service: Service, cwe: str) -> list[str]:
    """Return the way from a pillar down to an entry, by each entry's first parent."""

    def up(step: str) -> Iterator[str]:
        while step:
            yield step
            entry = service.taxonomy.get(step)
            step = next(iter(entry.parents), "") if entry else ""

    return list(islice(up(cwe), 32))[::-1]
