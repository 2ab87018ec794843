"""Microsoft's monthly security updates in JSON, which follow CVRF.

Format: https://api.msrc.microsoft.com/cvrf/v3.0/swagger/v3/swagger.json.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from typing import Any

import msgspec

from cybersecqwen.core.lenient_json import DECODE_ERRORS, LenientDecoder
from cybersecqwen.core.records import CvssVector
from cybersecqwen.sources.advisories.advisory_fields import (
    cvss_vector,
    decode_problem,
    finish,
    headline_and_text,
    labels_of,
)
from cybersecqwen.sources.advisories.formats import Json, JsonFormat, Place, Record

_MICROSOFT = "Microsoft"
_DESCRIPTION = 2  # a note's type
_TAG = re.compile(r"<[^<>]*>")


class _MsrcText(msgspec.Struct, rename="pascal", gc=False):
    value: str | None = None


class _MsrcNote(msgspec.Struct, rename="pascal", gc=False):
    title: str | None = None
    type: int = 0
    value: str | None = None


class _MsrcScore(msgspec.Struct, rename="pascal", gc=False):
    vector: str | None = None


class _MsrcWeakness(msgspec.Struct, gc=False):
    id: str = msgspec.field(name="ID", default="")


class _MsrcEntry(msgspec.Struct, rename="pascal"):
    cve: str = msgspec.field(name="CVE")
    title: _MsrcText | None = None
    notes: list[_MsrcNote] = []
    weaknesses: list[_MsrcWeakness] | _MsrcWeakness | None = msgspec.field(name="CWE", default=None)
    scores: list[_MsrcScore] = msgspec.field(name="CVSSScoreSets", default=[])


_DECODER = LenientDecoder(_MsrcEntry)


def _parse(content: Json, place: Place, _context: Any) -> Iterable[Record]:
    try:
        found = _DECODER.decode(content)
    except DECODE_ERRORS as error:
        return [decode_problem(place, bytes(content), error)]
    said = [
        html.unescape(_TAG.sub(" ", note.value))
        for note in found.notes
        if note.value and (note.type == _DESCRIPTION or (note.title or "") == "Description")
    ]
    title = (found.title.value if found.title else "") or ""
    given = found.weaknesses or []
    weaknesses = given if isinstance(given, list) else [given]
    return [
        finish(
            place,
            found.cve,
            headline_and_text(title, "\n".join(filter(str.strip, said))),
            labels=labels_of([weakness.id for weakness in weaknesses], "cna", _MICROSOFT),
            cvss=_vectors(found),
            title=title,
            assigner=_MICROSOFT,
        )
    ]


def _vectors(found: _MsrcEntry) -> list[CvssVector]:
    said = dict.fromkeys(score.vector for score in found.scores if score.vector)
    return [cvss_vector(vector, "cna", assigner=_MICROSOFT) for vector in said]


MSRC = JsonFormat(
    name="msrc",
    title="Microsoft's security updates (CVRF in JSON)",
    recognised_by="`DocumentTitle` beside a list `Vulnerability`; entries with `CVE` and `Notes`",
    is_record=lambda value: "CVE" in value and isinstance(value.get("Notes"), list),
    parse=_parse,
    is_document=lambda value: (
        "DocumentTitle" in value and isinstance(value.get("Vulnerability"), list)
    ),
    members=("Vulnerability",),
)
