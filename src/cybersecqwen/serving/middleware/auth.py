"""The token that clients present, where the service has one."""

from __future__ import annotations

import hmac

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from cybersecqwen.serving.errors import ApiError
from cybersecqwen.serving.middleware.paths import is_open
from cybersecqwen.serving.settings import ServeSettings


class BearerToken:
    """Refuses requests without the token, but for the page and ``/health``.

    Args:
        app: What lies inside.
        settings: The token.
    """

    def __init__(self, app: ASGIApp, settings: ServeSettings) -> None:
        self._app = app
        self._token = settings.token.get_secret_value().encode() if settings.token else b""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request.

        Raises:
            ApiError: The token is missing or wrong.
        """
        if scope["type"] == "http" and self._token and not is_open(scope["path"]):
            scheme, _, given = Headers(scope=scope).get("authorization", "").partition(" ")
            right = hmac.compare_digest(given.strip().encode("utf-8", "replace"), self._token)
            if scheme.lower() != "bearer" or not right:
                raise ApiError(
                    401,
                    "this service needs its token: Authorization: Bearer TOKEN",
                    "invalid_api_key",
                    {"WWW-Authenticate": "Bearer"},
                )
        await self._app(scope, receive, send)
