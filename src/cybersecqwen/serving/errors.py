"""Refusals, all in the shape that OpenAI's clients read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from starlette.responses import Response

from cybersecqwen.core.errors import (
    CyberSecQwenError,
    InputError,
    MissingExtraError,
    ModelError,
)

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    408: "timeout_error",
    413: "invalid_request_error",
    415: "invalid_request_error",
    421: "invalid_request_error",
    429: "rate_limit_error",
    503: "service_unavailable_error",
    504: "timeout_error",
}


class ApiError(Exception):
    """A refusal.

    Args:
        status: HTTP status.
        message: What is wrong, and what to do.
        code: A word that a program can test for.
        headers: Further headers.
    """

    def __init__(
        self, status: int, message: str, code: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.headers = dict(headers or {})


class ClientLeftError(Exception):
    """The client has gone: there is nobody to answer."""


class BusyError(ApiError):
    """What is shared is taken; it will be free again."""

    def __init__(self, what: str, retry_after: int = 1) -> None:
        super().__init__(
            429,
            f"too many {what} are waiting; try again in {retry_after} s",
            "busy",
            {"Retry-After": str(retry_after)},
        )


def error_body(status: int, message: str, code: str) -> dict[str, Any]:
    """Return ``{"error": {"message", "type", "code"}}``."""
    kind = _TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def error_response(error: ApiError) -> Response:
    """Return the response that a refusal becomes."""
    return Response(
        msgspec.json.encode(error_body(error.status, error.message, error.code)),
        error.status,
        error.headers,
        media_type="application/json",
    )


def as_api_error(error: CyberSecQwenError) -> ApiError:
    """Say over HTTP what a room of ours could not do."""
    if isinstance(error, InputError):
        return ApiError(400, str(error), "invalid_input")
    if isinstance(error, ModelError):
        return ApiError(502, str(error), "model_error")
    if isinstance(error, MissingExtraError):
        return ApiError(503, str(error), "not_installed")
    return ApiError(503, str(error), "unavailable")


_WORDS = {
    "extra_forbidden": "no such key",
    "missing": "is missing",
    "string_type": "must be a text",
    "model_attributes_type": "the body must be a JSON object",
    "model_type": "the body must be a JSON object",
    "json_invalid": "the body is no JSON",
}


def validation_message(errors: Sequence[Any]) -> str:
    """Say which fields are wrong, without repeating what they hold."""
    parts = []
    for found in errors[:5]:
        if found["type"] == "json_invalid":
            parts.append(f"{_WORDS['json_invalid']} (at byte {found['loc'][-1]})")
            continue
        where = ".".join(str(part) for part in found["loc"] if part != "body")
        message = _WORDS.get(found["type"]) or str(found["msg"]).removeprefix("Value error, ")
        parts.append(f"{where}: {message}" if where else message)
    return "; ".join(parts) or "the request is not valid"
