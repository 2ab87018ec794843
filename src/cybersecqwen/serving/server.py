"""The server's process: bounded connections, a quiet log, and a stop that waits."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.heap import return_large_blocks
from cybersecqwen.serving.app import create_app
from cybersecqwen.serving.routes.mcp_tools import mcp_server
from cybersecqwen.serving.service import Service, open_service
from cybersecqwen.serving.settings import ServeSettings

log = logging.getLogger("cybersecqwen.serve")

_HEAD_BYTES = 64 << 10
_HEAD_SECONDS = 15.0
_KEEP_ALIVE_SECONDS = 30
_PIPELINED = 16
_LOG_CHARACTERS = 10_000


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol with the bounds that it lacks, on what comes before and behind a body.

    Heads are bounded in bytes and seconds. Fields behind a chunked body (trailers), which nothing
    here reads, end the connection. Of requests that arrive before earlier ones are answered, a
    few are taken; the connection ends when these are answered.
    """

    _since_body = 0
    _in_head = True
    _full = False
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start waiting for the first request's head."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timer."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what is neither body nor whole request; drop what will not be answered."""
        if self._full or self.transport.is_closing():
            return
        if self._in_head and self._timer is None:
            self._await_head()
        self._since_body += len(data)
        super().data_received(data)
        if self._since_body > _HEAD_BYTES and not self.transport.is_closing():
            self.transport.write(
                b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
                b"content-length: 0\r\nconnection: close\r\n\r\n"
            )
            self.transport.close()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a head's field; what raises here ends the connection with a 400."""
        if not self._in_head:
            raise ValueError("trailers are not taken")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Stop waiting: what follows is for the application to limit."""
        self._in_head = False
        self._stop_waiting()
        self._full = self._full or len(self.pipeline) >= _PIPELINED
        if not self._full:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._since_body = 0
        if not self._full:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Count the next request's head anew."""
        self._in_head = True
        self._since_body = 0
        if not self._full:
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """Go on to the next request, unless too many had come and the last is answered."""
        super().on_response_complete()
        if self._full and self.cycle.response_complete and not self.pipeline:
            self.transport.close()

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: the request is answered as if it had not asked for another protocol."""

    def _await_head(self) -> None:
        self._timer = self.loop.call_later(_HEAD_SECONDS, self._too_slow)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        self._timer = None
        if self._in_head and not self.transport.is_closing():
            self.transport.close()


class Server(uvicorn.Server):
    """uvicorn's server, which tells the service that it is to stop.

    Args:
        config: uvicorn's configuration.
        service: What is served.
    """

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Finish what is under way; at the second signal, stop at once."""
        if not self._service.draining:
            self._service.draining = True
            log.info("stopping: %d requests are under way", len(self.server_state.tasks))
        super().handle_exit(sig, frame)


def serve(settings: ServeSettings) -> None:
    """Serve until the process is told to stop.

    Raises:
        InputError: The address cannot be listened on, or a setting names what is not there.
        MissingExtraError: The language model needs an optional package.
        ModelError: A model cannot be loaded.
    """
    set_up_log()
    return_large_blocks()
    service = open_service(settings)
    config = configure(settings, service)
    server = Server(config, service)
    try:
        sock = config.bind_socket()
    except SystemExit as error:  # uvicorn's way to say that it cannot
        asyncio.run(service.close())
        raise InputError(f"{settings.host}:{settings.port} cannot be listened on") from error
    # Now, not when uvicorn starts: who reads the line below may connect at once.
    sock.listen(config.backlog)
    host, port = sock.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    log.info("listening on http://%s:%d", shown, port)
    if not settings.on_loopback:
        log.warning("other machines can reach this service; clients need the token")
    for number in (signal.SIGINT, signal.SIGTERM):
        # uvicorn raises the signal again when it has stopped; being told to stop is no failure.
        signal.signal(number, lambda *_: None)
    if hasattr(signal, "SIGHUP"):  # a terminal that closes, or an operator's habit
        signal.signal(signal.SIGHUP, server.handle_exit)
    server.run(sockets=[sock])
    log.info("stopped")


def configure(settings: ServeSettings, service: Service) -> uvicorn.Config:
    """Return uvicorn's configuration for a service."""
    return uvicorn.Config(
        create_app(service),
        host=settings.host,
        port=settings.port,
        http=BoundedProtocol,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=settings.max_connections,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=settings.drain_seconds,
        backlog=1024,
    )


def serve_stdio(settings: ServeSettings) -> None:
    """Serve an agent over standard input and output until it closes them.

    Raises:
        InputError: A setting names what is not there.
        MissingExtraError: The language model needs an optional package.
        ModelError: A model cannot be loaded.
    """
    set_up_log()
    service = open_service(settings)

    async def talk() -> None:
        try:
            await mcp_server(service).run_stdio_async()
        finally:
            await service.close()

    asyncio.run(talk())


class _OneLine(logging.Formatter):
    """Escapes what a terminal would obey or a reader take for another event; shortens the rest."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the event's line."""
        text = super().format(record)
        if len(text) > _LOG_CHARACTERS:
            text = f"{text[:_LOG_CHARACTERS]} ... ({len(text) - _LOG_CHARACTERS:,} more)"
        if text.isprintable():
            return text
        return "".join(
            char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
        )


def set_up_log(stream: Any = None) -> None:
    """Log to standard error, one line an event."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_OneLine("%(asctime)s %(levelname)s %(message)s"))
    # uvicorn warns of every request that is no HTTP, which a client could fill the log with.
    for name, level in (("cybersecqwen.serve", logging.INFO), ("uvicorn.error", logging.ERROR)):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(level)
        logger.propagate = False
