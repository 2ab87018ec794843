"""The server's process: connections with limits, a quiet log, and a stop that waits."""

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
from cybersecqwen.serving.app import create_app
from cybersecqwen.serving.routes.mcp_tools import mcp_server
from cybersecqwen.serving.service import Service, open_service
from cybersecqwen.serving.settings import ServeSettings

log = logging.getLogger("cybersecqwen.serve")

_HEAD_BYTES = 64 << 10
_HEAD_SECONDS = 15.0
_KEEP_ALIVE_SECONDS = 30


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol, with limits on a request's head, which it lacks."""

    _head_bytes = 0
    _head_timer: asyncio.TimerHandle | None = None
    _in_head = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start waiting for the first request's head."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timer."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what comes before a head is whole."""
        if self._in_head:
            if self._head_timer is None:
                self._await_head()
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > _HEAD_BYTES and not self.transport.is_closing():
            self.transport.write(
                b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
                b"content-length: 0\r\nconnection: close\r\n\r\n"
            )
            self.transport.close()

    def on_headers_complete(self) -> None:
        """Stop waiting: what follows is the gate's to limit."""
        self._in_head = False
        self._stop_waiting()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Count the next request's head anew."""
        self._in_head = True
        self._head_bytes = 0
        super().on_message_complete()

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(_HEAD_SECONDS, self._too_slow)

    def _stop_waiting(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _too_slow(self) -> None:
        self._head_timer = None
        if self._in_head and self.transport is not None and not self.transport.is_closing():
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
        self._service.draining = True
        super().handle_exit(sig, frame)


def serve(settings: ServeSettings) -> None:
    """Serve until the process is told to stop.

    Raises:
        InputError: The address cannot be listened on, or a setting names what is not there.
        MissingExtraError: The language model needs an optional package.
        ModelError: A model cannot be loaded.
    """
    set_up_log()
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
    server.run(sockets=[sock])


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


def set_up_log(stream: Any = None) -> None:
    """Log to standard error, one line an event."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    for name in ("cybersecqwen.serve", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(logging.INFO)
        logger.propagate = False
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
