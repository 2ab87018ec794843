"""Rows for the tests of outputs."""

from __future__ import annotations

from typing import Any

from cybersecqwen.apps.outputs.registry import OutputContext, format_named
from cybersecqwen.apps.outputs.rows import MapRow, NamedCwe, RecordRow, RowMaker
from cybersecqwen.core.records import (
    Advisory,
    Candidate,
    CvssVector,
    CweLabel,
    CwePrediction,
)
from cybersecqwen.core.taxonomy import shipped_taxonomy

TAXONOMY = shipped_taxonomy()
TEXT = "The login form puts the user name into its SQL query."


def named(cwe: str, probability: float) -> NamedCwe:
    entry = TAXONOMY.get(cwe)
    assert entry is not None
    return NamedCwe(cwe, entry.name, probability, entry.usage)


def row(record_id: str = "CVE-2024-1", *, abstained: bool = False, **more: Any) -> MapRow:
    """A row of a text that a model takes for CWE-79."""
    values: dict[str, Any] = {
        "id": record_id,
        "cwe": "CWE-79",
        "name": TAXONOMY.name("CWE-79"),
        "confidence": 0.45,
        "candidates": (named("CWE-79", 0.45), named("CWE-89", 0.35)),
        "abstained": abstained,
        "backoff": named("CWE-74", 0.8) if abstained else None,
        "model": "tiny 1",
        "usage": "allowed",
        "catalogue": TAXONOMY.version,
    }
    return MapRow(**values | more)


def advisory(record_id: str = "CVE-2024-10001", **more: Any) -> Advisory:
    values: dict[str, Any] = {
        "id": record_id,
        "description": TEXT,
        "labels": (CweLabel("CWE-89", "nvd"), CweLabel("CWE-74", "cna")),
        "cvss": (CvssVector("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "3.1", "nvd"),),
        "published": "2024-03-01",
        "where": "in/feed.jsonl:7",
        "line": 7,
        "columns": (("host", "web-1"), ("owner", "=HYPERLINK(1)")),
    }
    return Advisory(**values | more)


def prediction(
    cwe: str = "CWE-89", confidence: float = 0.97, *, abstained: bool = False
) -> CwePrediction:
    rest = Candidate("CWE-564" if cwe != "CWE-564" else "CWE-89", (1 - confidence) / 2)
    return CwePrediction(cwe, confidence, (Candidate(cwe, confidence), rest), abstained)


def record_row(record: Advisory | None = None, said: CwePrediction | None = None) -> RecordRow:
    return RowMaker(TAXONOMY, "tiny 1").record_row(record or advisory(), said or prediction())


def written(to: str, *rows: MapRow, **context: Any) -> bytes:
    """The document of a format."""
    known: dict[str, Any] = {"taxonomy": TAXONOMY, "version": "0.1.0", "width": 80}
    return b"".join(format_named(to).open(OutputContext(**known | context))(rows))
