"""Ends of work: when its time is up, and when its client has left."""

from __future__ import annotations

import asyncio
import contextlib

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cybersecqwen.serving.errors import ApiError, ClientLeftError
from cybersecqwen.serving.middleware.paths import UPLOAD_ROUTES
from cybersecqwen.serving.settings import ServeSettings

UNTIL = "until"
"""Key in a request's ``state`` of when its time is up, on the event loop's clock, in seconds."""

_WRITE_SECONDS = 60.0
_WRITTEN_BY_MODELS = frozenset({"/api/ask", "/mcp"})


class Deadlines:
    """Runs what lies inside until it has answered, its time is up or its client leaves.

    The time of an answer that streams ends with a line of its own, which the route writes; it
    reads ``UNTIL``. Everything else is cancelled here.

    Args:
        app: What lies inside; it is given the whole body.
        settings: The limits.
    """

    def __init__(self, app: ASGIApp, settings: ServeSettings) -> None:
        self._app = app
        self._settings = settings

    def _seconds(self, path: str) -> float:
        if path in UPLOAD_ROUTES:
            return self._settings.job_seconds
        if path.startswith("/v1/") or path in _WRITTEN_BY_MODELS:
            return self._settings.answer_seconds
        return self._settings.request_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request.

        Raises:
            ApiError: The time was up before an answer began.
            ClientLeftError: The client left.
        """
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        seconds = self._seconds(scope["path"])
        until = asyncio.get_running_loop().time() + seconds
        scope.setdefault("state", {})[UNTIL] = until
        exchange = _Exchange(receive, send)
        await exchange.open()
        app = asyncio.ensure_future(self._app(scope, exchange.receive, exchange.send))
        watcher = asyncio.ensure_future(exchange.watch())
        both = {app, watcher}
        try:
            await asyncio.wait(both, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if not (app.done() or watcher.done()) and exchange.started:
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if app.done():
                await app
            elif watcher.done():
                raise ClientLeftError
            else:
                raise ApiError(504, f"no answer within {seconds:g} s", "timeout")
        finally:
            await _cancelled(watcher)
            await _cancelled(app)


class _Exchange:
    """One request as the application sees it, with an eye on whether its client is there."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._first: Message | None = None
        self._gone = asyncio.Event()
        self.started = False

    async def open(self) -> None:
        """Take the body, which is there."""
        self._first = await self._receive()

    async def receive(self) -> Message:
        """Return the body, then wait for the client to leave."""
        if self._first is not None:
            message, self._first = self._first, None
            return message
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def watch(self) -> None:
        """Return when the client has left."""
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._gone.set()

    async def send(self, message: Message) -> None:
        """Pass a message on.

        Raises:
            ClientLeftError: The connection is closed, or nobody reads from it.
        """
        self.started = True
        try:
            # A client that never reads must not hold what an answer holds.
            async with asyncio.timeout(_WRITE_SECONDS):
                await self._send(message)
        except OSError as error:  # a TimeoutError is one
            raise ClientLeftError from error
        except RuntimeError as error:
            if "closed" in str(error):  # uvloop's word for it
                raise ClientLeftError from error
            raise


async def _cancelled(task: asyncio.Future[None]) -> None:
    if not task.done():
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await task
