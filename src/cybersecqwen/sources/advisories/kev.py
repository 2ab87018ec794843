"""CISA's catalogue of known exploited vulnerabilities, in JSON; its CSV is a table like others.

Schema: https://www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities_schema.json.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from cybersecqwen.core.lenient_json import DECODE_ERRORS, LenientDecoder, decode_lenient
from cybersecqwen.sources.advisories.advisory_fields import (
    columns_of,
    decode_problem,
    finish,
    labels_of,
)
from cybersecqwen.sources.advisories.formats import Json, JsonFormat, Place, Record

_CISA = "CISA KEV"


class _KevEntry(msgspec.Struct, rename="camel"):
    cve: str = msgspec.field(name="cveID")
    vendor_project: str = ""
    product: str = ""
    vulnerability_name: str = ""
    short_description: str | None = None
    cwes: list[str] = []


_DECODER = LenientDecoder(_KevEntry)


def _parse(content: Json, place: Place, _context: Any) -> Iterable[Record]:
    try:
        found = _DECODER.decode(content)
        columns = columns_of(decode_lenient(bytes(content)))
    except DECODE_ERRORS as error:
        return [decode_problem(place, bytes(content), error)]
    return [
        finish(
            place,
            found.cve,
            found.short_description,
            labels=labels_of(found.cwes, "other", _CISA),
            title=found.vulnerability_name,
            affected=[(found.vendor_project, found.product)],
            columns=columns,
        )
    ]


KEV = JsonFormat(
    name="kev",
    title="CISA KEV (JSON)",
    recognised_by="entries with `cveID` and `shortDescription` or `vulnerabilityName`",
    is_record=lambda v: "cveID" in v and bool({"shortDescription", "vulnerabilityName"} & set(v)),
    parse=_parse,
    is_document=lambda value: "catalogVersion" in value and "vulnerabilities" in value,
    members=("vulnerabilities",),
)
