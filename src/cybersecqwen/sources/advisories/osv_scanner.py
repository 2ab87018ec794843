"""OSV-Scanner's reports in JSON: lock files, their packages, the OSV records of each.

Format: https://google.github.io/osv-scanner/output/.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from cybersecqwen.core.lenient_json import DECODE_ERRORS, LenientDecoder
from cybersecqwen.sources.advisories.advisory_fields import decode_problem
from cybersecqwen.sources.advisories.formats import Json, JsonFormat, JsonObject, Place, Record
from cybersecqwen.sources.advisories.osv import OsvRecord


class _OsvScannerSource(msgspec.Struct, gc=False):
    path: str = ""


class _OsvScannerPackage(msgspec.Struct, gc=False):
    name: str = ""
    version: str = ""
    ecosystem: str = ""


class _Found(msgspec.Struct):
    package: _OsvScannerPackage = msgspec.field(default_factory=_OsvScannerPackage)
    vulnerabilities: list[OsvRecord] = []


class _Result(msgspec.Struct):
    source: _OsvScannerSource = msgspec.field(default_factory=_OsvScannerSource)
    packages: list[_Found] = []


_RESULT = LenientDecoder(_Result)


def _parse(content: Json, place: Place, _context: Any) -> Iterable[Record]:
    try:
        result = _RESULT.decode(content)
    except DECODE_ERRORS as error:
        return [decode_problem(place, bytes(content), error)]
    return _findings(result, place)


def _findings(result: _Result, place: Place) -> Iterator[Record]:
    number = 0
    for found in result.packages:
        columns = [
            ("source", result.source.path),
            ("package", found.package.name),
            ("version", found.package.version),
            ("ecosystem", found.package.ecosystem),
        ]
        for vulnerability in found.vulnerabilities:
            number += 1
            yield vulnerability.record(place.inside(f"finding {number}"), columns)


def _is_result(value: JsonObject) -> bool:
    return isinstance(value.get("packages"), list) and isinstance(value.get("source"), dict)


OSV_SCANNER = JsonFormat(
    name="osv-scanner",
    title="OSV-Scanner's report (JSON)",
    recognised_by="`results` of objects with `source` and `packages`",
    is_record=_is_result,
    parse=_parse,
    is_document=lambda value: (
        isinstance(value.get("results"), list)
        and ("experimental_config" in value or any(map(_is_result_like, value["results"])))
    ),
    members=("results",),
)


def _is_result_like(value: Any) -> bool:
    return isinstance(value, dict) and _is_result(value)
