"""Bodies of requests: how large, how slow, how many values, and how much of them all at once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cybersecqwen.serving.errors import ApiError, BusyError, ClientLeftError
from cybersecqwen.serving.middleware.free_memory import FreeMemory
from cybersecqwen.serving.middleware.paths import FILE_ROUTE, UPLOAD_ROUTES, route_of
from cybersecqwen.serving.settings import ServeSettings

log = logging.getLogger("cybersecqwen.serve")

MAX_JSON_VALUES = 200_000
"""In one body. A batch of the most texts that are allowed, each with an id, has a fifth of it."""

# What a body can come to in memory: itself, its texts, of which each character may take four bytes
# where one takes more than one, and an object of Python's for each value.
_BYTES_PER_ASCII_BYTE = 2
_BYTES_PER_BYTE = 5
_BYTES_PER_VALUE = 250
_SMALL_BYTES = 32 << 10

_LARGE_BYTES = 1 << 20
_OPENING = (b",", b"[", b"{", b":")


class RequestBodies:
    """Reads a request's body before anything parses it, within limits, and holds it for what
    lies inside. Files, which are bounded in another way, pass unread.

    Args:
        app: What lies inside.
        settings: The limits.
    """

    def __init__(self, app: ASGIApp, settings: ServeSettings) -> None:
        self._app = app
        self._settings = settings
        self._budget = _Budget(settings.body_memory_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request.

        Raises:
            ApiError: The body is too large, too slow or has too many values.
            BusyError: All bodies together take too much.
            ClientLeftError: The client left before the body was there.
        """
        if scope["type"] != "http" or scope["path"] in UPLOAD_ROUTES:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        check_length(headers, self._settings.max_body_bytes)
        with self._budget.share() as share:
            body = await self._read(receive, share)
            share.take(_expansion(body))
            if self._settings.log_texts and body:
                log.info("%s reads %s", route_of(scope), body.decode("utf-8", "backslashreplace"))
            given = False

            async def replay() -> Message:
                nonlocal given
                if given:
                    return await receive()
                given = True
                return {"type": "http.request", "body": body, "more_body": False}

            _name_json(scope, body)
            await self._app(scope, replay, send)

    async def _read(self, receive: Receive, share: _Share) -> bytes:
        most, seconds = self._settings.max_body_bytes, self._settings.body_seconds
        body = bytearray()
        try:
            async with asyncio.timeout(seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise ClientLeftError
                    piece = message.get("body", b"")
                    share.take(_BYTES_PER_ASCII_BYTE * len(piece))
                    body += piece
                    if len(body) > most:
                        raise too_large(most)
                    if not message.get("more_body", False):
                        return bytes(body)
        except TimeoutError as error:
            reason = f"the body did not arrive within {seconds:g} s"
            raise ApiError(408, reason, "slow_body") from error


class _Budget:
    """Memory that the bodies of all requests under way may take together.

    Args:
        limit: Bytes; one body may always be held, however large, and so may all small ones.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._free = FreeMemory()
        self.taken = 0

    @contextmanager
    def share(self) -> Iterator[_Share]:
        """Give a share that grows, and returns when the block ends."""
        share = _Share(self)
        try:
            yield share
        finally:
            self.taken -= share.size
            if share.size > _LARGE_BYTES:
                self._free.give_back_soon()

    def allows(self, more: int, share: int) -> bool:
        """Whether a share may grow by so many bytes."""
        small = share + more <= _SMALL_BYTES
        return small or self.taken + more <= self._limit or self.taken == share


class _Share:
    """One request's share of the budget."""

    def __init__(self, budget: _Budget) -> None:
        self._budget = budget
        self.size = 0

    def take(self, more: int) -> None:
        """Grow.

        Raises:
            BusyError: The others have left too little.
        """
        if not self._budget.allows(more, self.size):
            raise BusyError("large requests")
        self.size += more
        self._budget.taken += more


def _expansion(body: bytes) -> int:
    """Return about how many bytes more a body may come to when it is parsed."""
    expansion = _BYTES_PER_VALUE * _count_values(body)
    if not body.isascii() or b"\\u" in body:
        expansion += (_BYTES_PER_BYTE - _BYTES_PER_ASCII_BYTE) * len(body)
    return expansion


def _count_values(body: bytes) -> int:
    """Return about how many JSON values a body has, at least; marks within texts count as well.

    Raises:
        ApiError: There are too many.
    """
    values = sum(map(body.count, _OPENING))
    if values > MAX_JSON_VALUES:
        raise ApiError(
            413,
            f"the body has over {MAX_JSON_VALUES:,} values; send them in parts, or as a file to "
            f"{FILE_ROUTE}",
            "too_many_values",
        )
    return values


def _name_json(scope: Scope, body: bytes) -> None:
    """Call JSON by its name where a client did not: curl names a form unless it is told."""
    headers = MutableHeaders(scope=scope)
    named = headers.get("content-type", "").partition(";")[0].strip().lower()
    if named in {"", "application/x-www-form-urlencoded"} and body.lstrip().startswith(b"{"):
        scope["headers"] = list(scope["headers"])
        MutableHeaders(scope=scope)["content-type"] = "application/json"


def check_length(headers: Headers, most: int) -> None:
    """Refuse a body by the length that it states.

    Raises:
        ApiError: The length is no number, or too large.
    """
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit()):
        raise ApiError(400, "Content-Length is no number", "bad_length")
    if len(length) > 20 or int(length) > most:
        raise too_large(most)


def too_large(most: int) -> ApiError:
    """Return the refusal of a body over the limit."""
    return ApiError(413, f"the body is larger than {most:,} bytes", "too_large")
