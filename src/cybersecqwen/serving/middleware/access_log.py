"""One line and one count for each request, which say nothing of what it holds."""

from __future__ import annotations

import logging
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cybersecqwen.serving.metrics import Metrics
from cybersecqwen.serving.middleware.paths import route_of

log = logging.getLogger("cybersecqwen.serve")

CLIENT_LEFT = 499
"""The status in logs and metrics of a request whose client left before there was an answer."""


class AccessLog:
    """Logs and counts requests: method, route's pattern, status and time; no query, no header.

    Args:
        app: What lies inside.
        metrics: What counts.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; other connections than HTTP's are closed unheard."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        if scope["type"] != "http":
            return
        status = CLIENT_LEFT

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        start = time.perf_counter()
        self._metrics.under_way.inc()
        try:
            await self._app(scope, receive, noting)
        finally:
            self._metrics.under_way.dec()
            seconds = time.perf_counter() - start
            route = route_of(scope)
            self._metrics.count(scope["method"], route, status, seconds)
            log.info("%s %s %d %.1f ms", scope["method"], route, status, seconds * 1e3)
