"""CVEs that analysts of the Center for Threat-Informed Defense mapped to ATT&CK techniques.

Two sets are read: the table of 2021 (``attack_to_cve.csv``) and the mappings of CISA's known
exploited vulnerabilities (``kev_to_attack.json``), both Apache 2.0.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
from collections import defaultdict
from pathlib import Path

import msgspec

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.lenient_json import DECODE_ERRORS

ROLES = ("exploitation", "primary impact", "secondary impact")
"""What a technique may be to a vulnerability."""

_COLUMNS = {
    "Exploitation Technique": "exploitation",
    "Primary Impact": "primary impact",
    "Secondary Impact": "secondary impact",
}
_KINDS = {
    "exploitation_technique": "exploitation",
    "primary_impact": "primary impact",
    "secondary_impact": "secondary impact",
}
_TECHNIQUE = re.compile(r"T\d{4}(?:\.\d{3})?")

Mappings = dict[str, dict[str, set[str]]]
"""For each CVE, the ids of the techniques in each of ``ROLES``."""


class _MappingObject(msgspec.Struct):
    capability_id: str | None = None
    attack_object_id: str | None = None
    mapping_type: str | None = None


class _KevMappings(msgspec.Struct):
    mapping_objects: list[_MappingObject]


def read_analyst_mappings(table: Path, exploited: Path) -> Mappings:
    """Return both sets together; what stands in no role is left out.

    Args:
        table: The table, CSV, gzip or plain.
        exploited: The mappings of exploited vulnerabilities, JSON, likewise.

    Raises:
        InputError: A file cannot be read, or is something else.
    """
    found: defaultdict[str, dict[str, set[str]]] = defaultdict(lambda: {r: set() for r in ROLES})
    try:
        text = _content(table).decode("utf-8-sig")
        rows = csv.DictReader(io.StringIO(text))
        if missing := {"CVE ID", *_COLUMNS} - set(rows.fieldnames or ()):
            raise InputError(f"{table}: has no column {', '.join(sorted(missing))}")
        for row in rows:
            for column, role in _COLUMNS.items():
                found[row["CVE ID"].strip()][role] |= set(_TECHNIQUE.findall(row[column] or ""))
        mapped = msgspec.json.decode(_content(exploited), type=_KevMappings)
    except (OSError, EOFError, csv.Error, *DECODE_ERRORS) as error:
        raise InputError(f"{table}, {exploited}: cannot be read: {error}") from error
    for one in mapped.mapping_objects:
        role = _KINDS.get(one.mapping_type or "", "")
        if role and one.capability_id and _TECHNIQUE.fullmatch(one.attack_object_id or ""):
            found[one.capability_id][role].add(str(one.attack_object_id))
    return {cve: roles for cve, roles in sorted(found.items()) if any(roles.values())}


def _content(file: Path) -> bytes:
    content = file.read_bytes()
    return gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
