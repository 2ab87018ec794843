"""Requests passed through, unread but for their limits, to a server that speaks OpenAI's API."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator

import httpx
import msgspec
from fastapi import Request
from starlette.responses import Response

from cybersecqwen.core.lenient_json import DECODE_ERRORS
from cybersecqwen.serving.errors import ApiError, BusyError, error_body
from cybersecqwen.serving.routes.openai_schemas import Drawing
from cybersecqwen.serving.service import Service
from cybersecqwen.serving.streaming import Streamed

_MOST_BYTES = 64 << 20


async def forward(service: Service, request: Request, path: str, asked: Drawing) -> Response:
    """Put a request to the upstream and hand its answer back as it comes.

    The client's headers, its token among them, stay here.

    Raises:
        ApiError: It asks for too much, or the upstream gives no answer.
        BusyError: Too many requests are with the upstream.
    """
    upstream = service.upstream
    assert upstream is not None
    tokens = asked.asked_tokens
    if tokens is not None and tokens > service.settings.max_tokens:
        most = service.settings.max_tokens
        raise ApiError(400, f"max_tokens: {tokens} is more than {most}", "too_many_tokens")
    if upstream.under_way >= service.settings.upstream_parallel:
        raise BusyError("questions")
    body = msgspec.json.encode(
        {**msgspec.json.decode(await request.body()), "model": upstream.model}
    )
    stack = contextlib.AsyncExitStack()
    try:
        stack.enter_context(upstream.counted())
        reply = await stack.enter_async_context(
            upstream.client.stream("POST", f"{upstream.base}{path}", content=body)
        )
        media = reply.headers.get("content-type", "application/json")
        if reply.status_code == httpx.codes.OK and "event-stream" in media:
            kept = stack.pop_all()
            seconds = service.settings.answer_seconds
            return Streamed(_passed(reply, kept, seconds), media_type="text/event-stream")
        content = await _read(reply)
    except httpx.TimeoutException as error:
        raise ApiError(504, "the upstream gave no answer in time", "timeout") from error
    except (httpx.HTTPError, httpx.StreamError) as error:
        reason = f"the upstream gave no answer ({type(error).__name__})"
        raise ApiError(502, reason, "upstream_error") from error
    finally:
        await stack.aclose()
    return _answer(reply, content)


def _answer(reply: httpx.Response, content: bytes) -> Response:
    """Hand an answer or a refusal on; one that is no JSON is only named."""
    status = reply.status_code
    try:
        found = msgspec.json.decode(content)
    except DECODE_ERRORS:
        raise ApiError(
            502, f"the upstream answered {status} without JSON", "upstream_error"
        ) from None
    if status in {401, 403}:
        raise ApiError(502, "the upstream refuses this service's key", "upstream_error")
    if status >= 400 and not (isinstance(found, dict) and isinstance(found.get("error"), dict)):
        content = msgspec.json.encode(
            error_body(status, f"the upstream answered {status}", "upstream_error")
        )
    headers = {name: reply.headers[name] for name in ("retry-after",) if name in reply.headers}
    return Response(content, max(status, 200), headers, media_type="application/json")


async def _read(reply: httpx.Response) -> bytes:
    content = bytearray()
    async for piece in reply.aiter_bytes():
        content += piece
        if len(content) > _MOST_BYTES:
            raise ApiError(502, "the upstream's answer is too large", "upstream_error")
    return bytes(content)


async def _passed(
    reply: httpx.Response, kept: contextlib.AsyncExitStack, seconds: float
) -> AsyncGenerator[bytes]:
    async with kept:
        try:
            async with asyncio.timeout(seconds):
                async for piece in reply.aiter_raw():
                    yield piece
        except (httpx.HTTPError, httpx.StreamError, TimeoutError) as error:
            reason = f"the upstream broke off ({type(error).__name__})"
            data = msgspec.json.encode(error_body(502, reason, "upstream_error"))
            yield b"data: " + data + b"\n\n"
