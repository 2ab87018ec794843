"""The route that maps texts, and what it shares with those that assess texts and map files."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Body, Request
from pydantic import ValidationError
from starlette.responses import Response

from cybersecqwen.apps.map_stream import MapOptions
from cybersecqwen.apps.outputs.rows import MapRow
from cybersecqwen.core.records import Advisory, RecordProblem
from cybersecqwen.core.text.clean import clean, has_text
from cybersecqwen.core.text.description import is_placeholder
from cybersecqwen.serving.batching import map_lines
from cybersecqwen.serving.errors import ApiError, validation_message
from cybersecqwen.serving.routes import schemas
from cybersecqwen.serving.routes.rest import service_of
from cybersecqwen.serving.service import Service
from cybersecqwen.serving.stored_texts import looked_up, with_stored_texts
from cybersecqwen.serving.streaming import NDJSON, Streamed, failure, timed, wants
from cybersecqwen.sources.advisories.advisory_fields import AN_ID_ALONE, ids_alone
from cybersecqwen.sources.advisories.prose import markup_kind, says_nothing

router = APIRouter()

_ITEM = schemas.Item.model_validate

Line = MapRow | RecordProblem


@router.post(
    "/api/map",
    tags=["map"],
    response_model=schemas.MapRowOut | schemas.Batch,
    responses={200: {"content": {NDJSON: {}}}},
)
async def map_texts(request: Request, asked: Annotated[schemas.MapRequest, Body()]) -> Response:
    """Map one text, or a batch, to CWE ids; rows stream if ``Accept`` asks for NDJSON."""
    service = service_of(request)
    if asked.text is not None:
        row = await map_text(service, asked.text, asked.options)
        ending = b"\n" if wants(request, NDJSON) else b""
        return Response(row + ending, media_type=NDJSON if ending else "application/json")
    records = read_items(service, asked.items or [])

    def mapped() -> Iterator[list[Line]]:
        known = with_stored_texts(records, "items")
        return map_lines(service.mapper, known, asked.options, service.maker)

    windows = lines_of(service, mapped)
    if wants(request, NDJSON):
        return Streamed(ndjson(windows, service.settings.job_seconds), media_type=NDJSON)
    lines: list[Line] = []
    async with contextlib.aclosing(windows):
        async for window in windows:
            lines += window
    body = {
        "model": service.mapper.name,
        "items": [line for line in lines if isinstance(line, MapRow)],
        **problems_and_notes(lines),
    }
    return Response(msgspec.json.encode(body), media_type="application/json")


def problems_and_notes(lines: Iterable[object]) -> dict[str, list[Any]]:
    """Return what is beside the rows of a batch: problems, and notes on it as a whole."""
    said = [line for line in lines if isinstance(line, RecordProblem)]
    return {
        "problems": [problem.row() for problem in said if problem.kind != "note"],
        "notes": [note.reason for note in said if note.kind == "note"],
    }


async def map_text(service: Service, text: str, options: MapOptions) -> bytes:
    """Return the row of one text as JSON, of an id alone that of its record in the local store.

    Raises:
        ApiError: The text has nothing to read, or the store does not know the id.
        BusyError: Too many texts are waiting.
    """
    ids = ids_alone(text)
    if not ids:
        if has_text(text) and (reason := _no_description(text)):
            raise ApiError(400, f"text: {reason}", "no_description")
        return await service.batcher.map(text, options)
    if len(ids) > 1:
        raise ApiError(400, "text: several ids; give them as items", "several_ids")
    record = await service.lookups.call(lambda: looked_up(ids[0]))
    if isinstance(record, RecordProblem):
        raise ApiError(404, f"{record.id}: {record.reason}", "no_such_advisory")
    windows = lines_of(service, lambda: map_lines(service.mapper, [record], options, service.maker))
    async with contextlib.aclosing(windows):
        async for window in windows:
            return msgspec.json.encode(window[0])
    raise ApiError(502, "the answer broke off", "model_error")


def read_items(
    service: Service, items: Sequence[Any], name: str = ""
) -> list[Advisory | RecordProblem]:
    """Return the items of a batch as records; an item that cannot be used is its problem.

    Args:
        service: Whose limit holds.
        items: Texts, or objects with a text and perhaps an id.
        name: Id of items that have none; empty to number them.

    Raises:
        ApiError: There are too many.
    """
    if len(items) > service.settings.max_items:
        raise ApiError(
            413,
            f"items: {len(items):,} are more than {service.settings.max_items:,}; "
            "send them in parts, or as a file to /api/map/file",
            "too_many_items",
        )
    return [_record(number, item, name) for number, item in enumerate(items, 1)]


def _record(number: int, given: Any, name: str) -> Advisory | RecordProblem:
    name = name or f"item-{number}"
    where = f"item {number}"
    bare = isinstance(given, dict) and not {"text", "description"} & set(given)
    if bare and ids_alone(str(given.get("id", ""))):
        given = {**given, "text": str(given["id"])}
    try:
        item = _ITEM({"text": given} if isinstance(given, str) else given)
    except ValidationError as error:
        reason = "give a text, or an object with text and, if you like, id"
        if isinstance(given, dict):
            reason = validation_message(error.errors())
        return RecordProblem(where, name, reason)
    if not has_text(item.text):
        return RecordProblem(where, item.id or name, "text has nothing to read")
    ids = ids_alone(item.text)
    if not ids and (reason := _no_description(item.text)):
        return RecordProblem(where, item.id or name, reason, "no_description")
    if len(ids) > 1:
        return RecordProblem(where, item.id or name, "several ids; give each as an item")
    if ids:
        known = Advisory(item.id or ids[0], "", aliases=tuple(ids), where=where)
        return RecordProblem(where, known.id, AN_ID_ALONE, "no_description", known)
    return Advisory(item.id or name, item.text)


def _no_description(text: str) -> str:
    """Return why a text is none to be mapped; an empty string where it may be."""
    if kind := markup_kind(text):
        return f"it is {kind}, no description; send records as a file to /api/map/file"
    if is_placeholder(text):
        return f"{clean(text)!r} says that there is no description"
    return f"{clean(text)[:40]!r} is no description" if says_nothing(text) else ""


async def lines_of(
    service: Service, make: Callable[[], Iterator[list[Line]]]
) -> AsyncGenerator[list[Line]]:
    """Map records in a thread; yield windows of lines."""
    async with contextlib.aclosing(service.jobs.draw(make)) as windows:
        async for window in windows:
            service.batcher.count(len(window))
            yield window


async def ndjson(
    windows: AsyncGenerator[Sequence[Line | dict[str, Any]]], seconds: float
) -> AsyncGenerator[bytes]:
    """Write lines as they come; what goes wrong after the first is the last line."""
    try:
        async for window in timed(windows, seconds):
            yield b"".join(line_json(line) for line in window)
    except Exception as error:
        yield msgspec.json.encode(failure(error)) + b"\n"


def line_json(line: Line | dict[str, Any]) -> bytes:
    """Return a line of NDJSON: a row, or ``{"problem": ...}``."""
    value = {"problem": line.row()} if isinstance(line, RecordProblem) else line
    return msgspec.json.encode(value) + b"\n"
