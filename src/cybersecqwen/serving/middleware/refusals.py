"""Every failure becomes an answer in one shape; a fault of ours says in the log where it is."""

from __future__ import annotations

import logging
import traceback
from pathlib import PurePath

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cybersecqwen.core.errors import CyberSecQwenError
from cybersecqwen.serving.errors import ApiError, ClientLeftError, as_api_error, error_response
from cybersecqwen.serving.middleware.paths import route_of
from cybersecqwen.serving.settings import ServeSettings

log = logging.getLogger("cybersecqwen.serve")


class Refusals:
    """Answers with an error object where what lies inside raises before it has answered.

    Args:
        app: What lies inside.
        settings: Whether texts may appear in the log.
    """

    def __init__(self, app: ASGIApp, settings: ServeSettings) -> None:
        self._app = app
        self._log_texts = settings.log_texts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def noting(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        error: ApiError
        try:
            await self._app(scope, receive, noting)
            return
        except ClientLeftError:
            return  # there is nobody to answer
        except ApiError as refusal:
            error = refusal
        except CyberSecQwenError as failure:
            error = as_api_error(failure)
        except Exception as fault:
            log.error("%s failed: %s", route_of(scope), self._where(fault))
            error = ApiError(500, "the service failed; its log says where", "internal")
        if not started:
            await error_response(error)(scope, receive, send)

    def _where(self, error: BaseException) -> str:
        """Say where an error comes from; its message may hold a text, which is not logged."""
        if self._log_texts:
            return "".join(traceback.format_exception(error))
        frames = traceback.extract_tb(error.__traceback__)[-3:]
        places = ", ".join(f"{PurePath(f.filename).name}:{f.lineno}" for f in frames)
        return f"{type(error).__name__} at {places}"
