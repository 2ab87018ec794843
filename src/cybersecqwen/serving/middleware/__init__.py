"""What every request passes, one duty a module; ``protected`` puts them in their order."""

from __future__ import annotations

from starlette.types import ASGIApp

from cybersecqwen.serving.metrics import Metrics
from cybersecqwen.serving.middleware.access_log import AccessLog
from cybersecqwen.serving.middleware.auth import BearerToken
from cybersecqwen.serving.middleware.bodies import RequestBodies
from cybersecqwen.serving.middleware.deadlines import Deadlines
from cybersecqwen.serving.middleware.headers import ResponseHeaders
from cybersecqwen.serving.middleware.hosts import Hosts, Origins
from cybersecqwen.serving.middleware.refusals import Refusals
from cybersecqwen.serving.middleware.uploads import Uploads
from cybersecqwen.serving.settings import ServeSettings


def protected(app: ASGIApp, settings: ServeSettings, metrics: Metrics) -> ASGIApp:
    """Return an application behind everything that a request must pass, the outermost last."""
    app = Deadlines(app, settings)
    app = Uploads(app, settings)
    app = RequestBodies(app, settings)
    app = BearerToken(app, settings)
    app = Origins(app)
    app = Hosts(app, settings)
    app = Refusals(app, settings)
    app = ResponseHeaders(app)
    return AccessLog(app, metrics)
