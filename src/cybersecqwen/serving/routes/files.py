"""The route that maps a file of any size in bounded memory."""

from __future__ import annotations

import asyncio
import errno
import tempfile
from collections.abc import AsyncGenerator, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import IO, Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from cybersecqwen.apps.map_stream import MapOptions
from cybersecqwen.core.records import Advisory, Labeller, RecordProblem
from cybersecqwen.serving.batching import map_lines
from cybersecqwen.serving.errors import ApiError, BusyError
from cybersecqwen.serving.middleware.gate import FILE_ROUTE
from cybersecqwen.serving.routes.rest import Line, lines_of, ndjson, service_of
from cybersecqwen.serving.service import Service
from cybersecqwen.serving.streaming import NDJSON, Streamed
from cybersecqwen.sources import read_advisories

router = APIRouter()

_PIECE_BYTES = 1 << 20
_STDIN = "standard input"
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
    """Map every record of a file (NVD, CVE 5, CSV, JSONL, text; gzip and zip too), in order.

    One line of NDJSON a record: its row, or ``{"problem": ...}``. A client that was cut off sends
    the file again with ``skip`` set to the number of lines that it has, and gets the rest.
    """
    service = service_of(request)
    options = MapOptions(labeller, top_k, threshold)
    file = await received(request, service)
    try:
        lines = lines_of(
            service, lambda: _mapped(service, file, format, options, skip=skip, name=name)
        )
        # Drawn now, so that a file that cannot be used is refused with a proper status.
        first: list[Line] = await anext(lines, [])
    except BaseException:
        file.close()
        raise
    return Streamed(ndjson(service, _closing(file, first, lines)), media_type=NDJSON)


async def received(request: Request, service: Service) -> IO[bytes]:
    """Write the body to a temporary file without a name, which no crash leaves behind."""
    if service.uploads >= 2 * service.settings.jobs:
        raise BusyError("files", 5)
    service.uploads += 1
    file: IO[bytes] = tempfile.TemporaryFile(prefix="cybersecqwen-")  # noqa: SIM115 - closed when the answer ends
    try:
        held = bytearray()
        async for piece in request.stream():
            held += piece
            if len(held) >= _PIECE_BYTES:
                await asyncio.to_thread(file.write, bytes(held))
                held.clear()
        file.write(held)
        file.seek(0)
    except ClientDisconnect as error:
        file.close()
        raise ApiError(400, "the file broke off", "incomplete") from error
    except OSError as error:
        file.close()
        if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            raise ApiError(507, "no room for the file on this machine", "no_room") from error
        raise
    except BaseException:
        file.close()
        raise
    finally:
        service.uploads -= 1
    return file


def _mapped(
    service: Service, file: IO[bytes], chosen: str, options: MapOptions, *, skip: int, name: str
) -> Iterator[list[Line]]:
    records = _named(read_advisories(None, chosen, stdin=file), name or "file")
    return map_lines(service.mapper, records, options, service.maker, skip=skip)


def _named(
    records: Iterator[Advisory | RecordProblem], name: str
) -> Iterator[Advisory | RecordProblem]:
    """Call the input by its own name where a parser calls it standard input."""
    for record in records:
        if isinstance(record, RecordProblem):
            yield replace(record, where=record.where.replace(_STDIN, name, 1))
        else:
            yield record


async def _closing(
    file: IO[bytes], first: list[Line], lines: AsyncGenerator[list[Line]]
) -> AsyncGenerator[list[Line]]:
    try:
        yield first
        async for window in lines:
            yield window
    finally:
        with suppress(RuntimeError):
            await lines.aclose()
        # The thread may be reading it still; closing waits for nothing and ends its reading.
        file.close()
