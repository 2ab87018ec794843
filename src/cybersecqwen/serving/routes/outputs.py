"""Rows that a client has, written in any format; and the CWE tree that they are shown in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Path, Query, Request
from starlette.responses import JSONResponse, Response

from cybersecqwen import __version__
from cybersecqwen.apps.outputs.record_facts import RecordFacts
from cybersecqwen.apps.outputs.registry import OutputContext, format_named
from cybersecqwen.apps.outputs.rows import RecordRow
from cybersecqwen.core.cancellation import checkpoint
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.records import RecordProblem
from cybersecqwen.serving.errors import ApiError
from cybersecqwen.serving.middleware.paths import ROWS_ROUTE
from cybersecqwen.serving.middleware.uploads import UPLOAD, Upload
from cybersecqwen.serving.routes.rest import service_of
from cybersecqwen.serving.service import Service
from cybersecqwen.serving.stored_texts import looked_up
from cybersecqwen.serving.streaming import Streamed, begun

router = APIRouter()

_PIECE_BYTES = 1 << 18
_MAX_LINE_BYTES = 4 << 20
_MEDIA = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "html": "text/html; charset=utf-8",
    "markdown": "text/markdown; charset=utf-8",
    "sarif": "application/sarif+json",
    "cve5": "application/x-ndjson",
}
_BODY: dict[str, Any] = {
    "required": True,
    "content": {"application/x-ndjson": {"schema": {"type": "string"}}},
}

RowsFormat = Literal["csv", "xlsx", "html", "markdown", "sarif", "cve5"]


@router.get("/api/cwe", tags=["ask"])
async def cwe_tree(request: Request) -> Response:
    """Give every entry of the CWE catalogue: name, first parent (CWE-1000), mapping usage."""
    taxonomy = service_of(request).taxonomy
    entries = {
        entry.id: {
            "name": entry.name,
            "parent": next(iter(entry.parents), ""),
            "usage": entry.usage,
        }
        for entry in taxonomy
    }
    return JSONResponse({"version": taxonomy.version, "entries": entries})


@router.get("/api/advisories/{name}", tags=["map"])
async def advisory(request: Request, name: Annotated[str, Path(max_length=100)]) -> Response:
    """Give the record of an id out of the local store of this machine."""
    service = service_of(request)
    found = await service.lookups.call(lambda: looked_up(name))
    if isinstance(found, RecordProblem):
        raise ApiError(404, f"{found.id}: {found.reason}", "no_such_advisory")
    facts = RecordFacts.of(found)
    return JSONResponse(
        {
            "id": found.id,
            "title": found.title,
            "description": found.description,
            "nvd_cwe": facts.nvd_cwe,
            "cna_cwe": facts.cna_cwe,
            "cvss": facts.cvss,
            "cvss_score": facts.cvss_score,
            "cvss_severity": facts.cvss_severity,
            "published": facts.published,
            "url": facts.url,
        }
    )


@router.post(
    ROWS_ROUTE,
    tags=["map"],
    response_class=Response,
    responses={200: {"content": {media: {} for media in _MEDIA.values()}}},
    openapi_extra={"requestBody": _BODY},
)
async def write_rows(
    request: Request,
    to: Annotated[RowsFormat, Query()] = "csv",
    name: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """Write rows of /api/map/file, sent back one JSON object a line, in another format."""
    service = service_of(request)
    upload: Upload = request.scope["state"][UPLOAD]
    # Begun now, so that rows that cannot be read are refused with a proper status.
    pieces = await begun(service.jobs.draw(lambda: _written(service, upload, to, name)))
    # Untrusted rows must not run as a page of this server.
    headers = {"Content-Disposition": "attachment"}
    return Streamed(pieces, media_type=_MEDIA[to], headers=headers)


def _written(service: Service, upload: Upload, to: str, name: str) -> Iterator[bytes]:
    """Return the document in pieces of some size."""
    context = OutputContext(taxonomy=service.taxonomy, version=__version__, title=name)
    held = bytearray()
    with upload.open() as file:
        for piece in format_named(to).open(context)(_rows(file)):
            held += piece
            if len(held) >= _PIECE_BYTES:
                yield bytes(held)
                held.clear()
    yield bytes(held)


def _rows(file: IO[bytes]) -> Iterator[RecordRow]:
    decode = msgspec.json.Decoder(RecordRow).decode
    for number, line in enumerate(iter(lambda: file.readline(_MAX_LINE_BYTES), b""), start=1):
        checkpoint()
        if not line.strip():
            continue
        try:
            yield decode(line)
        except msgspec.DecodeError as error:
            raise InputError(f"line {number} is no row of /api/map/file: {error}") from error
