"""The HTTP application."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from mcp.server.transport_security import TransportSecuritySettings
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles

from cybersecqwen import __version__
from cybersecqwen.core.errors import CyberSecQwenError
from cybersecqwen.serving.errors import (
    ApiError,
    as_api_error,
    error_response,
    validation_message,
)
from cybersecqwen.serving.metrics import Metrics
from cybersecqwen.serving.middleware import protected
from cybersecqwen.serving.routes import (
    assess,
    files,
    openai_api,
    outputs,
    rest,
    techniques,
    texts,
)
from cybersecqwen.serving.routes.mcp_tools import mcp_server
from cybersecqwen.serving.routes.schemas import ErrorOut
from cybersecqwen.serving.service import Service

PAGE = Path(__file__).parent / "page"

_ABOUT = (
    "Vulnerability texts to CWE ids, questions answered from CWE, CAPEC and ATT&CK with citations, "
    "and OpenAI's API over a language model."
)
_NO_TELEMETRY: Any = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
"""Older versions of FastAPI have none, and pass this over."""

_REFUSALS = {
    400: "The request is not valid",
    401: "The token is missing or wrong",
    413: "The request is too large",
    429: "Too many requests are waiting; Retry-After says when to come back",
    503: "A part that this needs is not there",
    504: "No answer within the time limit",
}


def create_app(service: Service) -> FastAPI:
    """Return the application that serves what ``service`` holds."""
    metrics = Metrics()
    metrics.watch("texts_waiting", "Texts waiting to be mapped", lambda: service.batcher.waiting)
    metrics.watch("batches_waiting", "Batches and files waiting", lambda: service.jobs.waiting)
    metrics.watch("questions_waiting", "Questions waiting", lambda: service.answers.waiting)

    service.batcher.count = metrics.texts.inc
    service.count_tokens = lambda tokens: metrics.tokens.inc(tokens or 0)

    agents = mcp_server(service)
    # Stateless: no session outlives its request, so nothing is held for clients that are gone,
    # and the gate has checked host, origin and token.
    mcp_routes = agents.streamable_http_app(
        json_response=True,
        stateless_http=True,
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
    ).routes

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        try:
            async with agents.session_manager.run():
                yield
        finally:
            await service.close()

    # FastAPI's own documentation pages load scripts from elsewhere.
    app = FastAPI(
        title="cybersecqwen",
        version=__version__,
        description=_ABOUT,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        # Nor its OpenTelemetry, whatever a shell's profile configures: it sends what fails.
        telemetry=_NO_TELEMETRY,
    )
    app.state.service = service
    app.state.metrics = metrics
    # Routes are tried one by one, so those that are asked for most come first.
    for routes in (texts, rest, assess, techniques, files, outputs, openai_api):
        app.include_router(routes.router)
    app.router.routes.extend(mcp_routes)
    _serve_page(app)
    _answer_errors(app)
    _describe(app)
    app.add_middleware(protected, settings=service.settings, metrics=metrics)
    return app


def _serve_page(app: FastAPI) -> None:
    if not (PAGE / "index.html").is_file():
        return

    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(PAGE / "index.html", headers={"Cache-Control": "no-cache"})

    # What the page shares with reports; the longer path comes first.
    app.mount("/static/view", StaticFiles(packages=[("cybersecqwen.apps.report", "view")]))
    app.mount("/static", StaticFiles(directory=PAGE), name="static")


def _answer_errors(app: FastAPI) -> None:
    @app.exception_handler(ApiError)
    async def refusal(_: Request, error: ApiError) -> Response:
        return error_response(error)

    @app.exception_handler(CyberSecQwenError)
    async def failure(_: Request, error: CyberSecQwenError) -> Response:
        return error_response(as_api_error(error))

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        return error_response(ApiError(400, validation_message(error.errors()), "invalid_request"))

    @app.exception_handler(HTTPException)
    async def other(_: Request, error: HTTPException) -> Response:
        message = {404: "there is nothing here", 405: "not with this method"}.get(
            error.status_code, str(error.detail)
        )
        code = re.sub(r"\W+", "_", str(error.detail).lower())[:40]
        return error_response(ApiError(error.status_code, message, code, error.headers))


def _describe(app: FastAPI) -> None:
    """Let the OpenAPI document name our refusals where FastAPI would name its own."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(
                title=app.title,
                version=app.version,
                description=app.description,
                routes=app.routes,
            )
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            schemas.pop("HTTPValidationError", None)
            schemas.pop("ValidationError", None)
            full = ErrorOut.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas |= full.pop("$defs")
            schemas["ErrorOut"] = full
            for operations in document["paths"].values():
                for operation in operations.values():
                    operation["responses"].pop("422", None)
                    operation["responses"] |= {
                        str(status): _refusal(text) for status, text in _REFUSALS.items()
                    }
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _refusal(text: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/ErrorOut"}
    return {"description": text, "content": {"application/json": {"schema": schema}}}
