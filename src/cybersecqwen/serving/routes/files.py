"""The routes that map and assess a file of any size in bounded memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from cybersecqwen.apps.map_stream import MapOptions
from cybersecqwen.core.cancellation import checkpoint
from cybersecqwen.core.records import Advisory, Labeller, RecordProblem
from cybersecqwen.serving.batching import map_lines
from cybersecqwen.serving.middleware.deadlines import UNTIL
from cybersecqwen.serving.middleware.paths import ASSESS_FILE_ROUTE, FILE_ROUTE
from cybersecqwen.serving.middleware.uploads import UPLOAD, Upload
from cybersecqwen.serving.routes.assess import Line as AssessmentLine
from cybersecqwen.serving.routes.assess import windows as assessment_windows
from cybersecqwen.serving.routes.rest import service_of
from cybersecqwen.serving.routes.texts import Line, lines_of, ndjson
from cybersecqwen.serving.stored_texts import with_stored_texts
from cybersecqwen.serving.streaming import NDJSON, Streamed, begun
from cybersecqwen.sources import read_advisories
from cybersecqwen.sources.io.unpack import UnpackLimits

router = APIRouter()

_DIRECTORY_BYTES_PER_MEMBER = 256
_BODY: dict[str, Any] = {
    "required": True,
    "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
}


class FileQuery(BaseModel):
    """What is said of a file that is sent, and of what is wanted.

    Attributes:
        format: What it is, where its content does not tell.
        labeller: Whose convention or practice to follow.
        threshold: Probability under which an answer counts as unsure; None for the model's own.
        skip: Lines of the answer that the client has.
        name: What to call it in messages.
        text_column: The column or key that holds the text, where its name does not tell.
        id_column: Likewise for the id.
    """

    format: Annotated[str, Field(max_length=40)] = "auto"
    labeller: Labeller = "nvd"
    threshold: Annotated[float | None, Field(ge=0, le=1, allow_inf_nan=False)] = None
    skip: Annotated[int, Field(ge=0, le=1 << 40)] = 0
    name: Annotated[str, Field(max_length=200)] = ""
    text_column: Annotated[str, Field(max_length=200)] = ""
    id_column: Annotated[str, Field(max_length=200)] = ""


class MapFileQuery(FileQuery):
    """The same of a file to be mapped.

    Attributes:
        top_k: Candidates of a row.
    """

    top_k: Annotated[int, Field(ge=1, le=1000)] = 5


@router.post(
    FILE_ROUTE,
    tags=["map"],
    response_class=Response,
    responses={200: {"content": {NDJSON: {}}}},
    openapi_extra={"requestBody": _BODY},
)
async def map_file(request: Request, given: Annotated[MapFileQuery, Query()]) -> Response:
    """Map every record of a file, of any format and packing that is read, in order.

    One line of NDJSON a record: its row, or ``{"problem": ...}``. A client that was cut off sends
    the file again with ``skip`` set to the number of lines that it has, and gets the rest.
    """
    service = service_of(request)
    options = MapOptions(given.labeller, given.top_k, given.threshold)

    def mapped() -> Iterator[list[Line]]:
        with _uploaded(request, given) as records:
            yield from map_lines(service.mapper, records, options, service.maker, skip=given.skip)

    return await _streamed(request, mapped)


@router.post(
    ASSESS_FILE_ROUTE,
    response_class=Response,
    responses={200: {"content": {NDJSON: {}}}},
    openapi_extra={"requestBody": _BODY},
)
async def assess_file(request: Request, given: Annotated[FileQuery, Query()]) -> Response:
    """Assess every record of a file, whole records as they are published included, in order.

    Lines, ``skip`` and what is read are those of ``/api/map/file``.
    """
    service = service_of(request)

    def assessed() -> Iterator[list[AssessmentLine]]:
        with _uploaded(request, given) as records:
            yield from assessment_windows(
                service.assessor, records, given.labeller, given.threshold, skip=given.skip
            )

    return await _streamed(request, assessed)


@contextmanager
def _uploaded(request: Request, given: FileQuery) -> Iterator[Iterator[Advisory | RecordProblem]]:
    """Open a request's body as records; those without a text are given the local store's."""
    settings = service_of(request).settings
    upload: Upload = request.scope["state"][UPLOAD]
    limits = UnpackLimits(
        members=settings.max_members,
        directory_bytes=settings.max_members * _DIRECTORY_BYTES_PER_MEMBER,
        record_bytes=settings.max_body_bytes,
        document_bytes=settings.max_body_bytes,
        check=checkpoint,
        disk=upload.disk.take,
    )
    called = given.name or "file"
    with upload.open() as file:
        records = read_advisories(
            None,
            given.format,
            stdin=file,
            name=called,
            limits=limits,
            text_column=given.text_column,
            id_column=given.id_column,
        )
        yield with_stored_texts(records, called)


async def _streamed(request: Request, make: Callable[[], Iterator[list[Any]]]) -> Response:
    # Begun now, so that a file that cannot be used is refused with a proper status.
    lines = await begun(lines_of(service_of(request), make))
    seconds = request.scope["state"][UNTIL] - asyncio.get_running_loop().time()
    return Streamed(ndjson(lines, seconds), media_type=NDJSON)
