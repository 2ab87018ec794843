"""Where a record's own weakness or vector and the specialists' differ, and how much it matters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from statistics import fmean
from typing import Any, ClassVar

from cybersecqwen.apps.assess import Assessment, Assessor, said
from cybersecqwen.apps.assess_stream import OBJECT_FORMATS, TEXT, write_objects
from cybersecqwen.apps.outputs.audit_rows import (
    AUDIT_COLUMNS,
    audit_cells,
    audit_table,
    audit_texts,
)
from cybersecqwen.apps.outputs.csv_table import csv_lines
from cybersecqwen.apps.outputs.record_facts import PUBLISHERS, record_url
from cybersecqwen.apps.outputs.registry import OutputContext
from cybersecqwen.core.cvss import canonical_vector, score_of
from cybersecqwen.core.records import Advisory, Labeller, LabelSource
from cybersecqwen.core.taxonomy import Taxonomy, shipped_taxonomy
from cybersecqwen.sources.advisory_store import AdvisoryStore

_WORTH = {"convention": 0.2}
"""Of 582 differences in 2,358 CVE records that NVD has labelled as well, NVD contradicted the
record in 2 of 12 of convention, and in 440 of the 570 others, whatever they were: 0.17 and 0.77."""

_DIGITS = 4
_SHOWN = 300  # characters of a similar record's description


@dataclass(frozen=True, slots=True)
class Differences:
    """Where a record's own word differs from the specialists': the rows of ``audit``.

    The specialists are asked for the practice of the party whose word is audited, and are not
    shown that word.

    Attributes:
        labeller: Whose weakness and vector are audited.
        store: File of the store that the most similar records and their labels come from; None
            for none.
    """

    labeller: Labeller = "cna"
    store: Path | None = None
    noun: ClassVar[str] = "differ"
    formats: ClassVar[tuple[str, ...]] = (TEXT, "table", "jsonl", "json", "csv")

    def concerns(self, record: Advisory) -> bool:
        """Whether the party has said anything of a record.

        For the CNA's word stands, where it has none, that of another who published the record (a
        database such as GitHub's, a table), then CISA's: none of them is read for the opinion.
        """
        return bool(_own_weaknesses(record, self.labeller) or _said_vector(record, self.labeller))

    def row(self, assessor: Assessor, found: Assessment) -> dict[str, Any] | None:
        """Return how a record and its assessment differ; None where they agree."""
        row = audit_row(assessor, found, self.labeller, shipped_taxonomy())
        return row and {**row, "similar": similar_records(_opened(self.store), found.record)}

    def write(
        self, rows: Iterable[dict[str, Any]], form: str, context: OutputContext
    ) -> Iterator[bytes]:
        """Return the document that the rows of a job make, the surest first."""
        first = surest_first(rows)
        if form in OBJECT_FORMATS:
            return write_objects(first, form, context)
        if form == "csv":
            return csv_lines(AUDIT_COLUMNS, map(audit_cells, first))
        shown = audit_table if form == "table" else audit_texts
        return shown(first, context.width)


def surest_first(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows of differences, the surest first."""
    return sorted(rows, key=lambda row: (-row["weight"], row["id"]))


def audit_row(
    assessor: Assessor, found: Assessment, labeller: Labeller, taxonomy: Taxonomy
) -> dict[str, Any] | None:
    """Return how a record and its assessment differ, or None where they agree."""
    weakness = _weakness(assessor, found, labeller, taxonomy)
    severity = _severity(found, labeller)
    if weakness is None and severity is None:
        return None
    weight = max(
        weakness["confidence"] * _WORTH.get(weakness["kind"], 1.0) if weakness else 0.0,
        severity["weight"] if severity else 0.0,
    )
    return {
        "id": found.id,
        "title": found.record.title,
        "url": record_url(found.id, found.record.references),
        "labeller": labeller,
        "weight": round(weight, _DIGITS),
        "weakness": weakness,
        "severity": severity,
    }


@lru_cache(maxsize=1)
def _opened(file: Path | None) -> AdvisoryStore | None:
    """Open a store, once in a process; None where this machine has none."""
    return AdvisoryStore(file) if file and file.is_file() else None


def similar_records(store: AdvisoryStore | None, record: Advisory) -> list[dict[str, Any]]:
    """Return the records of a local store that are most like one, and what they were given.

    Raises:
        InputError: The store is damaged.
    """
    return [
        {
            "id": found.record.id,
            "likeness": round(found.likeness, _DIGITS),
            **said(found.record),
            "description": found.record.description[:_SHOWN],
        }
        for found in (store.similar(record) if store else ())
    ]


def _weakness(
    assessor: Assessor, found: Assessment, labeller: Labeller, taxonomy: Taxonomy
) -> dict[str, Any] | None:
    own = _own_weaknesses(found.record, labeller)
    ours = found.weakness.cwe
    if not own or ours in own:
        return None
    return {
        "own": list(own),
        "ours": ours,
        "name": taxonomy.name(ours),
        "confidence": round(found.weakness.confidence, _DIGITS),
        "band": found.weakness.band,
        "kind": _difference(assessor, found, own, ours, labeller, taxonomy),
        "own_usage": [
            entry.usage if entry else "no such entry" for entry in map(taxonomy.get, own)
        ],
    }


def _difference(
    assessor: Assessor,
    found: Assessment,
    own: tuple[str, ...],
    ours: str,
    labeller: Labeller,
    taxonomy: Taxonomy,
) -> str:
    """Say what kind of difference it is.

    ``unknown``: the catalogue has no such entry as the record's. ``depth``: ours is a child or a
    parent of it. ``usage``: MITRE discourages or prohibits mapping to it. ``convention``: the other
    party's practice would agree with the record. ``weakness``: none of these.
    """
    entries = [taxonomy.get(cwe) for cwe in own]
    if not any(entries):
        return "unknown"
    if any(cwe in taxonomy.ancestors(ours) or ours in taxonomy.ancestors(cwe) for cwe in own):
        return "depth"
    if all(entry is None or entry.usage in {"discouraged", "prohibited"} for entry in entries):
        return "usage"
    other: Labeller = "cna" if labeller == "nvd" else "nvd"
    # The bare description: the record's own word must not be read.
    if assessor.mapper.map(found.record.description, labeller=other).cwe in own:
        return "convention"
    return "weakness"


def _parties(labeller: Labeller) -> tuple[LabelSource, ...]:
    return PUBLISHERS if labeller == "cna" else (labeller,)


def _own_weaknesses(record: Advisory, labeller: Labeller) -> tuple[str, ...]:
    return next(filter(None, map(record.cwes, _parties(labeller))), ())


def _said_vector(record: Advisory, labeller: Labeller) -> str:
    for party in _parties(labeller):
        for scored in record.cvss:
            if scored.source == party and scored.version[:1] == "3":
                return scored.vector
    return ""


def _severity(found: Assessment, labeller: Labeller) -> dict[str, Any] | None:
    said = _said_vector(found.record, labeller)
    own = canonical_vector(said)
    if not said or own == found.cvss.vector:
        return None
    ours = {"ours": found.cvss.vector, "our_score": found.cvss.score}
    if own is None:  # a metric is missing, or has no such value: wrong for certain
        return {"own": said, "own_score": None, **ours, "gap": None, "metrics": {}, "weight": 1.0}
    values = dict(part.split(":") for part in own.split("/")[1:])
    metrics: dict[str, dict[str, Any]] = {
        name: {
            "own": values[name],
            "ours": metric.value,
            "probability": round(metric.probability, _DIGITS),
            "because": list(metric.because),
        }
        for name, metric in found.cvss.metrics.items()
        if metric.value != values[name]
    }
    gap = found.cvss.score - score_of(own)
    sure = fmean(metric["probability"] for metric in metrics.values())
    return {
        "own": own,
        "own_score": score_of(own),
        **ours,
        "gap": round(gap, 1),
        "metrics": metrics,
        # A sure difference that moves the score by three points is worth as much as can be. Of 138
        # records, NVD's score was a point off the CNA's in a better order by the metrics' mean
        # probability than by the surest one's (area under the curve 0.635, 0.617).
        "weight": round(sure * min(1.0, abs(gap) / 3), _DIGITS),
    }
