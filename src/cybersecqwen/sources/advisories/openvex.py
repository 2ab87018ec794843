"""OpenVEX documents: which products a vulnerability affects, by its id alone.

Specification: https://github.com/openvex/spec. A statement holds no description of the
vulnerability, so each is handed on as one that has none, with its id.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from cybersecqwen.core.lenient_json import DECODE_ERRORS, LenientDecoder
from cybersecqwen.sources.advisories.advisory_fields import decode_problem, finish
from cybersecqwen.sources.advisories.formats import Json, JsonFormat, JsonObject, Place, Record


class _Name(msgspec.Struct, rename={"iri": "@id"}):
    iri: str = ""
    name: str = ""
    description: str | None = None
    aliases: list[str] = []


class _OpenVexProduct(msgspec.Struct, rename={"iri": "@id"}):
    iri: str = ""


class _OpenVexStatement(msgspec.Struct):
    vulnerability: _Name | str
    status: str = ""
    justification: str = ""
    impact_statement: str = ""
    action_statement: str = ""
    timestamp: str = ""
    last_updated: str = ""
    products: list[_OpenVexProduct | str] = []


_STATEMENT = LenientDecoder(_OpenVexStatement)


def _parse(content: Json, place: Place, _context: Any) -> Iterable[Record]:
    try:
        found = _STATEMENT.decode(content)
    except DECODE_ERRORS as error:
        return [decode_problem(place, bytes(content), error)]
    named = found.vulnerability
    vulnerability = _Name(name=named) if isinstance(named, str) else named
    products = [each if isinstance(each, str) else each.iri for each in found.products]
    return [
        finish(
            place,
            vulnerability.name or vulnerability.iri.rstrip("/").rsplit("/", 1)[-1],
            vulnerability.description,
            modified=found.last_updated or found.timestamp,
            aliases=vulnerability.aliases,
            columns=[
                ("status", found.status),
                ("justification", found.justification),
                ("impact_statement", found.impact_statement),
                ("action_statement", found.action_statement),
                ("products", ", ".join(products)),
            ],
            reason=f"an OpenVEX statement ({found.status}) holds no description",
        )
    ]


def _is_document(value: JsonObject) -> bool:
    return "openvex" in str(value.get("@context", "")) and "statements" in value


OPENVEX = JsonFormat(
    name="openvex",
    title="OpenVEX, which holds ids and statements and no descriptions",
    recognised_by="`@context` of openvex.dev and `statements`",
    is_record=lambda value: "vulnerability" in value and "status" in value and "products" in value,
    parse=_parse,
    is_document=_is_document,
    members=("statements",),
)
