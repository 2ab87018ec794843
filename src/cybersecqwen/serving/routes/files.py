"""The route that maps a file of any size in bounded memory."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from cybersecqwen.apps.map_stream import MapOptions
from cybersecqwen.core.cancellation import checkpoint
from cybersecqwen.core.records import Labeller
from cybersecqwen.serving.batching import map_lines
from cybersecqwen.serving.middleware.deadlines import UNTIL
from cybersecqwen.serving.middleware.paths import FILE_ROUTE
from cybersecqwen.serving.middleware.uploads import UPLOAD, Upload
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


@router.post(
    FILE_ROUTE,
    tags=["map"],
    response_class=Response,
    responses={200: {"content": {NDJSON: {}}}},
    openapi_extra={"requestBody": _BODY},
)
async def map_file(
    request: Request,
    format: Annotated[str, Query(max_length=40)] = "auto",  # noqa: A002 - the command line's word
    labeller: Annotated[Labeller, Query()] = "nvd",
    top_k: Annotated[int, Query(ge=1, le=1000)] = 5,
    threshold: Annotated[float | None, Query(ge=0, le=1, allow_inf_nan=False)] = None,
    skip: Annotated[int, Query(ge=0, le=1 << 40)] = 0,
    name: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """Map every record of a file, of any format and packing that is read, in order.

    One line of NDJSON a record: its row, or ``{"problem": ...}``. A client that was cut off sends
    the file again with ``skip`` set to the number of lines that it has, and gets the rest.
    """
    service = service_of(request)
    options = MapOptions(labeller, top_k, threshold)
    upload: Upload = request.scope["state"][UPLOAD]
    limits = UnpackLimits(
        members=service.settings.max_members,
        directory_bytes=service.settings.max_members * _DIRECTORY_BYTES_PER_MEMBER,
        record_bytes=service.settings.max_body_bytes,
        document_bytes=service.settings.max_body_bytes,
        check=checkpoint,
        disk=upload.disk.take,
    )

    def mapped() -> Iterator[list[Line]]:
        with upload.open() as file:
            called = name or "file"
            records = read_advisories(None, format, stdin=file, name=called, limits=limits)
            known = with_stored_texts(records, called)
            yield from map_lines(service.mapper, known, options, service.maker, skip=skip)

    # Begun now, so that a file that cannot be used is refused with a proper status.
    lines = await begun(lines_of(service, mapped))
    seconds = request.scope["state"][UNTIL] - asyncio.get_running_loop().time()
    return Streamed(ndjson(lines, seconds), media_type=NDJSON)
