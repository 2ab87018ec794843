"""OpenAI's API: models, chat and text completions, streaming and not."""

from __future__ import annotations

import contextlib
import secrets
import time
import uuid
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Body, Request
from starlette.responses import JSONResponse, Response

from cybersecqwen.core.chat import Generation, Message, Sampling
from cybersecqwen.core.interfaces import Backend
from cybersecqwen.serving.embedded import embedded_reply
from cybersecqwen.serving.errors import ApiError
from cybersecqwen.serving.names import EMBEDDED, model_name
from cybersecqwen.serving.routes.openai_schemas import ChatRequest, CompletionRequest, Drawing
from cybersecqwen.serving.routes.rest import service_of
from cybersecqwen.serving.routes.upstream import forward
from cybersecqwen.serving.service import Service
from cybersecqwen.serving.streaming import SSE, Streamed, begun, event, failure, timed

router = APIRouter(prefix="/v1", tags=["openai"])

_DONE = b"data: [DONE]\n\n"
_CHAT_TOKENS = 1024
_TEXT_TOKENS = 16  # OpenAI's default

_EVENTS: dict[int | str, dict[str, Any]] = {200: {"content": {SSE: {}}}}


def model_ids(service: Service) -> list[str]:
    """Return the models that can be asked, the language model first."""
    return [*([model_name(service.backend.name)] if service.backend else []), EMBEDDED]


@router.get("/models")
async def models(request: Request) -> dict[str, Any]:
    """List the models."""
    service = service_of(request)
    return {"object": "list", "data": [_model(service, name) for name in model_ids(service)]}


@router.get("/models/{name:path}")
async def model(request: Request, name: str) -> dict[str, Any]:
    """Describe a model."""
    service = service_of(request)
    _known(service, name)
    return _model(service, name)


def _model(service: Service, name: str) -> dict[str, Any]:
    return {
        "id": name,
        "object": "model",
        "created": service.started,
        "owned_by": "cybersecqwen" if name == EMBEDDED else "local",
    }


def _known(service: Service, name: str) -> None:
    names = model_ids(service)
    if name not in names:
        raise ApiError(
            404, f"no model {name[:100]!r} here; there is {', '.join(names)}", "model_not_found"
        )


@router.post("/chat/completions", response_model=dict[str, Any], responses=_EVENTS)
async def chat(request: Request, asked: Annotated[ChatRequest, Body()]) -> Response:
    """Go on with a conversation; without a language model, from specialist and knowledge base."""
    service = service_of(request)
    _known(service, asked.model)
    if asked.model != EMBEDDED and service.upstream is not None:
        return await forward(service, request, "/chat/completions", asked)
    asked.check_neutral()
    conversation = asked.conversation()
    sampling = asked.sampling(
        default=_CHAT_TOKENS, most=service.settings.max_tokens, seed=secrets.randbelow(2**31)
    )
    return await _answer(service, asked, conversation, sampling, _CHAT)


@router.post("/completions", response_model=dict[str, Any], responses=_EVENTS)
async def complete(request: Request, asked: Annotated[CompletionRequest, Body()]) -> Response:
    """Go on with a text, without a chat template."""
    service = service_of(request)
    _known(service, asked.model)
    if asked.model != EMBEDDED and service.upstream is not None:
        return await forward(service, request, "/completions", asked)
    asked.check_neutral()
    sampling = asked.sampling(
        default=_TEXT_TOKENS,
        most=service.settings.max_tokens,
        seed=secrets.randbelow(2**31),
        raw=True,
    )
    return await _answer(service, asked, [Message("user", asked.text)], sampling, _TEXT)


@dataclass(frozen=True, slots=True)
class _CompletionKind:
    """How one of the two routes lays its answers out."""

    prefix: str
    whole: str
    part: str

    def head(self, model: str, kind: str) -> dict[str, Any]:
        return {
            "id": f"{self.prefix}-{uuid.uuid4().hex}",
            "object": kind,
            "created": int(time.time()),
            "model": model,
        }

    def choice(self, text: str, finish: str | None) -> dict[str, Any]:
        message = {"role": "assistant", "content": text, "refusal": None}
        said = {"message": message} if self is _CHAT else {"text": text}
        return {"index": 0, **said, "logprobs": None, "finish_reason": finish}

    def delta(
        self, text: str | None, finish: str | None = None, *, first: bool = False
    ) -> dict[str, Any]:
        delta = {"role": "assistant"} if first else {}
        delta |= {} if text is None else {"content": text}
        said = {"delta": delta} if self is _CHAT else {"text": text or ""}
        return {"index": 0, **said, "logprobs": None, "finish_reason": finish}


_CHAT = _CompletionKind("chatcmpl", "chat.completion", "chat.completion.chunk")
_TEXT = _CompletionKind("cmpl", "text_completion", "text_completion")


async def _answer(
    service: Service,
    asked: Drawing,
    conversation: list[Message],
    sampling: Sampling,
    kind: _CompletionKind,
) -> Response:
    backend = service.backend
    if asked.model == EMBEDDED or backend is None:
        pieces = embedded_reply(service, conversation, sampling)
    else:
        pieces = _written(service, backend, conversation, sampling)
    if asked.stream:
        source = _events(service, asked, kind, await begun(_checked(pieces)))
        return Streamed(source, media_type=SSE, headers={"X-Accel-Buffering": "no"})
    async with contextlib.aclosing(_checked(pieces)) as checked:
        async for piece in checked:
            if isinstance(piece, Generation):
                service.count_tokens(piece.new_tokens)
                return JSONResponse(
                    {
                        **kind.head(asked.model, kind.whole),
                        "choices": [kind.choice(piece.text, piece.finish)],
                        "usage": _usage(piece),
                    }
                )
    raise ApiError(502, "the answer broke off", "model_error")


def _written(
    service: Service, backend: Backend, conversation: list[Message], sampling: Sampling
) -> AsyncGenerator[str | Generation]:
    return service.answers.draw(lambda: backend.stream(conversation, sampling))


async def _checked(
    pieces: AsyncGenerator[str | Generation],
) -> AsyncGenerator[str | Generation]:
    """Pass pieces on, refusing an answer that the model gave up on.

    Raises:
        ApiError: It did.
    """
    async with contextlib.aclosing(pieces):
        async for piece in pieces:
            if isinstance(piece, Generation) and piece.finish == "error":
                if "context" in piece.error or "does not fit" in piece.error:
                    raise ApiError(400, piece.error, "context_length_exceeded")
                raise ApiError(502, piece.error, "model_error")
            yield piece


def _usage(answer: Generation) -> dict[str, int]:
    prompt, written = answer.prompt_tokens or 0, answer.new_tokens or 0
    return {
        "prompt_tokens": prompt,
        "completion_tokens": written,
        "total_tokens": prompt + written,
    }


async def _events(
    service: Service,
    asked: Drawing,
    kind: _CompletionKind,
    pieces: AsyncGenerator[str | Generation],
) -> AsyncGenerator[bytes]:
    head = kind.head(asked.model, kind.part)
    usage: dict[str, Any] = {"usage": None} if asked.with_usage else {}

    def chunk(choice: dict[str, Any]) -> bytes:
        return event({**head, "choices": [choice], **usage})

    try:
        if kind is _CHAT:
            yield chunk(kind.delta("", first=True))
        async for piece in timed(pieces, service.settings.answer_seconds):
            if isinstance(piece, str):
                yield chunk(kind.delta(piece))
                continue
            service.count_tokens(piece.new_tokens)
            yield chunk(kind.delta(None, piece.finish))
            if asked.with_usage:
                yield event({**head, "choices": [], "usage": _usage(piece)})
        yield _DONE
    except Exception as error:
        yield event(failure(error))
