"""The route that assesses vulnerabilities: weakness, severity and techniques of each."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Iterable, Iterator
from itertools import islice
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Body, Request
from starlette.responses import Response

from cybersecqwen.apps.assess import Assessor
from cybersecqwen.apps.assess_stream import WholeRows, assess_windows
from cybersecqwen.core.records import Advisory, Labeller, RecordProblem
from cybersecqwen.serving.errors import ApiError
from cybersecqwen.serving.routes import schemas
from cybersecqwen.serving.routes.rest import service_of
from cybersecqwen.serving.routes.texts import ndjson, problems_and_notes, read_items
from cybersecqwen.serving.service import Service
from cybersecqwen.serving.stored_texts import with_stored_texts
from cybersecqwen.serving.streaming import NDJSON, Streamed, wants

router = APIRouter()

_TOGETHER = 32
"""Records that are assessed between two looks at whether anybody still waits."""

Line = dict[str, Any] | RecordProblem


@router.post(
    "/api/assess",
    response_model=schemas.AssessmentOut | schemas.AssessmentBatch,
    responses={200: {"content": {NDJSON: {}}}},
)
async def assess_texts(
    request: Request, asked: Annotated[schemas.AssessRequest, Body()]
) -> Response:
    """Assess one text, or a batch; rows stream if ``Accept`` asks for NDJSON."""
    service = service_of(request)
    windows = lines_of(service, asked)
    if wants(request, NDJSON):
        return Streamed(ndjson(windows, service.settings.job_seconds), media_type=NDJSON)
    lines = [line async for window in windows for line in window]
    rows = [line for line in lines if not isinstance(line, RecordProblem)]
    if asked.text is not None and not rows:
        raise no_row(lines)
    models = service.assessor.models
    found = rows[0] if asked.text is not None else None
    body = found or {"models": models, "items": rows, **problems_and_notes(lines)}
    return Response(msgspec.json.encode(body), media_type="application/json")


def no_row(lines: Iterable[Line]) -> ApiError:
    """Return why a single text has no row."""
    problem = next((line for line in lines if isinstance(line, RecordProblem)), None)
    if problem is not None and problem.kind == "no_description" and problem.advisory is None:
        return ApiError(400, f"text: {problem.reason}", "no_description")
    if problem is not None and problem.advisory is not None:
        return ApiError(404, f"{problem.id}: {problem.reason}", "no_such_advisory")
    return ApiError(400, "text: has nothing to read", "empty_text")


async def lines_of(service: Service, asked: schemas.AssessRequest) -> AsyncGenerator[list[Line]]:
    """Assess what is asked for in a thread; yield windows of rows and problems."""
    given = [asked.text] if asked.text is not None else asked.items or []
    records = read_items(service, given, "text" if asked.text is not None else "")

    def work() -> Iterator[list[Line]]:
        known = with_stored_texts(records, "items")
        return windows(service.assessor, known, asked.labeller, asked.threshold)

    async with contextlib.aclosing(service.jobs.draw(work)) as made:
        async for window in made:
            service.batcher.count(len(window))
            yield window


def windows(
    assessor: Assessor,
    records: Iterable[Advisory | RecordProblem],
    labeller: Labeller,
    threshold: float | None,
    *,
    skip: int = 0,
) -> Iterator[list[Line]]:
    """Assess records, a few at a time; yield the lines of each window.

    Args:
        assessor: The specialists.
        records: What to assess.
        labeller: Whose practice to follow.
        threshold: As for ``Assessor.assess_many``.
        skip: Records at the front whose lines are not wanted.
    """
    stream = iter(records)
    rows = WholeRows(labeller)
    while together := list(islice(stream, _TOGETHER)):
        left = max(0, skip - len(together))
        for window in assess_windows(together, assessor, rows, threshold=threshold, skip=skip):
            yield [said for found in window if (said := found.row or found.problem)]
        skip = left
