"""Names by which the service is called, and pages that may call it.

The first check stops DNS rebinding, the second requests that a page of another origin makes in its
reader's name. No header lets other origins in (CORS).
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from cybersecqwen.serving.errors import ApiError
from cybersecqwen.serving.settings import ServeSettings

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})


class Hosts:
    """Refuses requests under names that the service does not go by.

    Starlette's own check knows neither IPv6 addresses nor 421.

    Args:
        app: What lies inside.
        settings: Where the service listens, and its further names.
    """

    def __init__(self, app: ASGIApp, settings: ServeSettings) -> None:
        self._app = app
        self._names = {host.lower() for host in settings.allowed_hosts}
        if settings.on_loopback:
            self._names |= _LOOPBACK_NAMES | {settings.host}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request.

        Raises:
            ApiError: It has no Host header, or one with another name.
        """
        if scope["type"] == "http":
            hosts = Headers(scope=scope).getlist("host")
            if len(hosts) != 1 or not hosts[0]:
                raise ApiError(400, "a request needs one Host header", "bad_host")
            name = hosts[0].lower()
            if name.rpartition(":")[2].isdigit():
                name = name.rpartition(":")[0]
            if self._names and name not in self._names:
                raise ApiError(
                    421, "this service does not go by that name; see --allowed-host", "bad_host"
                )
        await self._app(scope, receive, send)


class Origins:
    """Refuses requests that pages of other origins make.

    Args:
        app: What lies inside.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request.

        Raises:
            ApiError: It comes from a page of another origin.
        """
        if scope["type"] == "http" and scope["method"] not in _SAFE_METHODS:
            headers = Headers(scope=scope)
            own = headers["host"].lower()
            foreign = any(not _is_own(origin, own) for origin in headers.getlist("origin"))
            if foreign or headers.get("sec-fetch-site") == "cross-site":
                raise ApiError(
                    403, "pages of other origins may not use this service", "cross_origin"
                )
        await self._app(scope, receive, send)


def _is_own(origin: str, host: str) -> bool:
    """Whether an origin is the page that this service serves, directly or behind TLS."""
    try:
        parts = urlsplit(origin.lower())
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and parts.netloc == host
