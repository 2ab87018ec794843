"""Answers that arrive in pieces: NDJSON and server-sent events."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Any, TypeVar

import msgspec
from fastapi.sse import format_sse_event
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from cybersecqwen.core.errors import CyberSecQwenError
from cybersecqwen.serving.errors import ApiError, as_api_error, error_body

NDJSON = "application/x-ndjson"
SSE = "text/event-stream"

ItemT = TypeVar("ItemT")


class Streamed(StreamingResponse):
    """A streaming response whose source is closed at once when the client leaves."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            close = getattr(self.body_iterator, "aclose", None)
            if close is not None:
                with contextlib.suppress(RuntimeError):
                    await close()


def wants(request: Request, media: str) -> bool:
    """Whether the client's ``Accept`` names a media type."""
    accepted = request.headers.get("accept", "").lower().split(",")
    return any(part.partition(";")[0].strip() == media for part in accepted)


async def timed(items: AsyncGenerator[ItemT], seconds: float) -> AsyncGenerator[ItemT]:
    """Pass items through until the time is up.

    Raises:
        ApiError: The time is up.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    try:
        while True:
            try:
                async with asyncio.timeout_at(end):
                    item = await anext(items)
            except StopAsyncIteration:
                return
            except TimeoutError as error:
                raise ApiError(504, f"not done within {seconds:g} s", "timeout") from error
            yield item
    finally:
        await items.aclose()


async def begun(items: AsyncGenerator[ItemT]) -> AsyncGenerator[ItemT]:
    """Draw the first item now, so that what cannot be answered is refused with a proper status."""
    try:
        first = [await anext(items)]
    except StopAsyncIteration:
        first = []
    except BaseException:
        await items.aclose()
        raise

    async def all_of_them() -> AsyncGenerator[ItemT]:
        async with contextlib.aclosing(items):
            for item in first:
                yield item
            async for item in items:
                yield item

    return all_of_them()


def event(value: Any, name: str = "") -> bytes:
    """Return one server-sent event with a JSON value."""
    return format_sse_event(data_str=msgspec.json.encode(value).decode(), event=name or None)


def failure(error: Exception) -> dict[str, Any]:
    """Return the error object that ends a stream which has begun."""
    if isinstance(error, CyberSecQwenError):
        error = as_api_error(error)
    if isinstance(error, ApiError):
        return error_body(error.status, error.message, error.code)
    return error_body(500, "the service failed; its log says where", "internal")
