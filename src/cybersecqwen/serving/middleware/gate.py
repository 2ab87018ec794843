"""What every request passes: who may ask, how much, how long, and what the answer may load."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
import time
import traceback
from pathlib import PurePath

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cybersecqwen.core.errors import CyberSecQwenError
from cybersecqwen.serving.errors import ApiError, as_api_error, error_response
from cybersecqwen.serving.metrics import Metrics
from cybersecqwen.serving.settings import ServeSettings

log = logging.getLogger("cybersecqwen.serve")

FILE_ROUTE = "/api/map/file"
ROWS_ROUTE = "/api/rows"
_SLOWEST_BYTES_PER_SECOND = 1024
_WRITE_SECONDS = 60.0

_CSP = (
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "object-src 'none'"
)
_SECURITY_HEADERS = [
    (b"content-security-policy", _CSP.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
]
_UNCACHED = (b"cache-control", b"no-store")
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Gate:
    """The outermost layer of the application.

    It refuses wrong hosts (DNS rebinding), other origins (no CORS), missing tokens, bodies that
    are too large or too slow; it stops work whose client has left or whose time is up; it adds
    security headers, counts and logs. The log has no query, no header and no body.

    Args:
        app: What lies inside.
        settings: The limits.
        metrics: What counts.
    """

    def __init__(self, app: ASGIApp, settings: ServeSettings, metrics: Metrics) -> None:
        self._app = app
        self._settings = settings
        self._metrics = metrics
        token = settings.token.get_secret_value() if settings.token else ""
        self._token = token.encode()
        self._hosts = {"localhost", "127.0.0.1", "[::1]"} if settings.on_loopback else set()
        self._hosts |= {host.lower() for host in settings.allowed_hosts}
        if settings.on_loopback:
            self._hosts.add(settings.host)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        exchange = _Exchange(send)
        start = time.perf_counter()
        self._metrics.under_way.inc()
        try:
            await self._serve(scope, receive, exchange)
        finally:
            self._metrics.under_way.dec()
            seconds = time.perf_counter() - start
            route = _route(scope)
            self._metrics.count(scope["method"], route, exchange.status, seconds)
            # 499: the client left before there was an answer.
            log.info(
                "%s %s %d %.1f ms", scope["method"], route, exchange.status or 499, seconds * 1e3
            )

    async def _serve(self, scope: Scope, receive: Receive, exchange: _Exchange) -> None:
        try:
            headers = Headers(scope=scope)
            self._check_host(scope, headers)
            self._check_origin(scope, headers)
            self._check_token(scope, headers)
            if scope["path"] in {FILE_ROUTE, ROWS_ROUTE}:
                await self._app(scope, self._metered(headers, receive, exchange), exchange.send)
                return
            body = await self._body(headers, receive)
            exchange.body_taken = True
            if self._settings.log_texts and body:
                log.info("%s reads %s", _route(scope), body.decode("utf-8", "backslashreplace"))
            await self._watched(scope, body, receive, exchange)
        except _LeftError:
            return
        except ApiError as error:
            await exchange.refuse(scope, receive, error)
        except CyberSecQwenError as error:
            await exchange.refuse(scope, receive, as_api_error(error))
        except Exception as error:
            log.error("%s failed: %s", _route(scope), self._where(error))
            await exchange.refuse(
                scope, receive, ApiError(500, "the service failed; its log says where", "internal")
            )

    def _where(self, error: BaseException) -> str:
        """Say where an error comes from; its message may hold a text, which is not logged."""
        if self._settings.log_texts:
            return "".join(traceback.format_exception(error))
        frames = traceback.extract_tb(error.__traceback__)[-3:]
        places = ", ".join(f"{PurePath(f.filename).name}:{f.lineno}" for f in frames)
        return f"{type(error).__name__} at {places}"

    def _check_host(self, scope: Scope, headers: Headers) -> None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not hosts[0]:
            raise ApiError(400, "a request needs one Host header", "bad_host")
        name = hosts[0].lower()
        if name.rpartition(":")[2].isdigit():
            name = name.rpartition(":")[0]
        if self._hosts and name not in self._hosts:
            raise ApiError(
                421, "this service does not go by that name; see --allowed-host", "bad_host"
            )

    def _check_origin(self, scope: Scope, headers: Headers) -> None:
        if scope["method"] in _SAFE_METHODS:
            return
        origin = headers.get("origin")
        foreign = origin is not None and (
            origin.partition("://")[2].lower() != headers["host"].lower()
        )
        if foreign or headers.get("sec-fetch-site") == "cross-site":
            raise ApiError(403, "pages of other origins may not use this service", "cross_origin")

    def _check_token(self, scope: Scope, headers: Headers) -> None:
        path = scope["path"]
        if not self._token or path in {"/", "/health"} or path.startswith("/static/"):
            return
        scheme, _, given = headers.get("authorization", "").partition(" ")
        right = hmac.compare_digest(given.strip().encode("utf-8", "replace"), self._token)
        if scheme.lower() != "bearer" or not right:
            raise ApiError(
                401,
                "this service needs its token: Authorization: Bearer TOKEN",
                "invalid_api_key",
                {"WWW-Authenticate": "Bearer"},
            )

    async def _body(self, headers: Headers, receive: Receive) -> bytes:
        """Return the whole body, within its limits of size and time."""
        most = self._settings.max_body_bytes
        _check_length(headers, most)
        body = bytearray()
        try:
            async with asyncio.timeout(self._settings.body_seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise _LeftError
                    body += message.get("body", b"")
                    if len(body) > most:
                        raise _too_large(most)
                    if not message.get("more_body", False):
                        return bytes(body)
        except TimeoutError as error:
            raise ApiError(
                408,
                f"the body did not arrive within {self._settings.body_seconds:g} s",
                "slow_body",
            ) from error

    def _metered(self, headers: Headers, receive: Receive, exchange: _Exchange) -> Receive:
        """Return ``receive`` for a body of any size: bounded, and not endlessly slow."""
        most = self._settings.max_file_bytes
        patience = self._settings.body_seconds
        _check_length(headers, most)
        start = time.monotonic()
        taken = 0

        async def metered() -> Message:
            nonlocal taken
            if exchange.body_taken:
                return await receive()
            try:
                async with asyncio.timeout(patience):
                    message = await receive()
            except TimeoutError as error:
                raise ApiError(408, "the file stopped arriving", "slow_body") from error
            if message["type"] == "http.request":
                taken += len(message.get("body", b""))
                exchange.body_taken = not message.get("more_body", False)
            if taken > most:
                raise _too_large(most)
            seconds = time.monotonic() - start
            slow = seconds > patience and taken / seconds < _SLOWEST_BYTES_PER_SECOND
            if slow and not exchange.body_taken:
                raise ApiError(408, "the file arrives too slowly", "slow_body")
            return message

        return metered

    def _limit(self, path: str) -> float:
        slow = path.startswith("/v1/") or path in {"/api/ask", "/mcp"}
        return self._settings.answer_seconds if slow else self._settings.request_seconds

    async def _watched(
        self, scope: Scope, body: bytes, receive: Receive, exchange: _Exchange
    ) -> None:
        """Run the application; stop it when the client leaves or before it answers too late."""
        gone = asyncio.Event()
        given = False

        async def replay() -> Message:
            nonlocal given
            if not given:
                given = True
                return {"type": "http.request", "body": body, "more_body": False}
            await gone.wait()
            return {"type": "http.disconnect"}

        async def watch() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            gone.set()

        app = asyncio.ensure_future(self._app(scope, replay, exchange.send))
        watcher = asyncio.ensure_future(watch())
        limit = self._limit(scope["path"])
        try:
            await asyncio.wait({app, watcher}, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
            if not (app.done() or watcher.done()) and exchange.started:
                # An answer that streams has limits of its own.
                await asyncio.wait({app, watcher}, return_when=asyncio.FIRST_COMPLETED)
            if app.done():
                await app
                return
            left = watcher.done()
            await _cancelled(app)
            if left:
                raise _LeftError
            if not exchange.started:
                raise ApiError(504, f"no answer within {limit:g} s", "timeout")
        finally:
            await _cancelled(watcher)
            await _cancelled(app)


class _LeftError(Exception):
    """The client has gone: there is nobody to answer."""


class _Exchange:
    """The sending side of one request."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 0
        self.body_taken = False

    @property
    def started(self) -> bool:
        """Whether the answer has begun."""
        return self.status != 0

    async def send(self, message: Message) -> None:
        """Pass a message on, with security headers at the front.

        Raises:
            _LeftError: The connection is closed, or nobody reads from it.
        """
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = list(message.get("headers", ()))
            if not any(name.lower() == b"cache-control" for name, _ in headers):
                headers.append(_UNCACHED)
            if not self.body_taken:
                # Nobody reads the rest of the body: the connection cannot be used again.
                headers.append((b"connection", b"close"))
            message = {**message, "headers": headers + _SECURITY_HEADERS}
        try:
            if message.get("more_body", False):
                # A client that never reads must not hold what a stream holds.
                async with asyncio.timeout(_WRITE_SECONDS):
                    await self._send(message)
            else:
                await self._send(message)
        except OSError as error:  # a TimeoutError is one
            raise _LeftError from error
        except RuntimeError as error:
            if "closed" in str(error):  # uvloop's word for it
                raise _LeftError from error
            raise

    async def refuse(self, scope: Scope, receive: Receive, error: ApiError) -> None:
        """Answer with a refusal, unless an answer has begun."""
        if not self.started:
            with contextlib.suppress(_LeftError):
                await error_response(error)(scope, receive, self.send)


def _check_length(headers: Headers, most: int) -> None:
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit()):
        raise ApiError(400, "Content-Length is no number", "bad_length")
    if len(length) > 20 or int(length) > most:
        raise _too_large(most)


def _too_large(most: int) -> ApiError:
    return ApiError(413, f"the body is larger than {most:,} bytes", "too_large")


def _route(scope: Scope) -> str:
    """Return the route's pattern: what a log or a metric may say of a path."""
    route = scope.get("route")
    return str(getattr(route, "path", "")) or "(none)"


async def _cancelled(task: asyncio.Future[None]) -> None:
    if not task.done():
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await task
