"""The route that names the ATT&CK techniques of sentences, scenarios and reports."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Request

from cybersecqwen.apps.techniques import technique_row
from cybersecqwen.core.text.clean import has_text
from cybersecqwen.serving.errors import ApiError
from cybersecqwen.serving.routes import schemas
from cybersecqwen.serving.routes.rest import service_of
from cybersecqwen.serving.service import Service

router = APIRouter()


@router.post(
    "/api/techniques",
    response_model=schemas.TechniquesOut,
    response_model_exclude_none=True,
)
async def find_techniques(
    request: Request, asked: Annotated[schemas.TechniquesRequest, Body()]
) -> dict[str, Any]:
    """Name what attackers do in a text: the likeliest technique, and each that it tells of."""
    return await techniques_in(service_of(request), asked.text)


async def techniques_in(service: Service, text: str) -> dict[str, Any]:
    """Return the row of a text, made in a thread.

    Raises:
        ApiError: The text has nothing to read.
    """
    if not has_text(text):
        raise ApiError(400, "text: has nothing to read", "empty_text")

    return await service.jobs.call(lambda: technique_row(service.technique_classifier, text))
