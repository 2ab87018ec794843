"""Everything the embedded specialists say of a vulnerability: weakness, severity, technique."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from cybersecqwen.apps.outputs.record_facts import base_score, newest_vector
from cybersecqwen.apps.outputs.rows import RecordRow, RowMaker
from cybersecqwen.core.cvss_metrics import CvssPrediction
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.records import Advisory, CvssVector, CweLabel, CwePrediction, Labeller
from cybersecqwen.core.taxonomy import shipped_taxonomy
from cybersecqwen.specialists.mapper import CweMapper
from cybersecqwen.specialists.severity import SeverityScorer
from cybersecqwen.specialists.vulnerability_technique import (
    VulnerabilityTechnique,
    VulnerabilityTechniques,
)

if TYPE_CHECKING:
    from cybersecqwen.knowledge.base import KnowledgeBase

WINDOW = 256
"""Records that are assessed together."""

_WEAKNESSES = 3
_ANOTHER = 0.15  # a further weakness is named from this probability on
_LIKELY_TECHNIQUE = 0.2
_MITIGATIONS = 3
_DIGITS = 4


@dataclass(frozen=True, slots=True)
class Assessment:
    """What the specialists say of one text or record.

    Attributes:
        id: The record's id.
        weakness: The weakness, with its candidates and band.
        labeller: Whose practice was followed.
        cvss: The v3.1 vector, metric by metric.
        cvss4: The v4.0 vector where CNAs' practice is asked for, else None.
        techniques: What analysts would map it to in ATT&CK, likeliest first.
        record: What was assessed.
    """

    id: str
    weakness: CwePrediction
    labeller: Labeller
    cvss: CvssPrediction
    cvss4: CvssPrediction | None
    techniques: tuple[VulnerabilityTechnique, ...]
    record: Advisory


@dataclass(frozen=True, slots=True)
class _Known:
    """What the knowledge base has on a weakness.

    Attributes:
        mitigations: The first of them, each with its citation.
        chain: Attack patterns and their techniques, by the catalogues' own links.
    """

    mitigations: list[dict[str, str]]
    chain: list[dict[str, Any]]


class Assessor:
    """The embedded specialists, asked together.

    Args:
        mapper: Classifier of weaknesses.
        scorer: Predictor of CVSS vectors.
        techniques: Of what a vulnerability is used for.
        knowledge: Where mitigations with their citations and the catalogues' own chain come from;
            None for none.
    """

    def __init__(
        self,
        mapper: CweMapper,
        scorer: SeverityScorer,
        techniques: VulnerabilityTechniques,
        knowledge: KnowledgeBase | None = None,
    ) -> None:
        self.mapper = mapper
        self.scorer = scorer
        self._techniques = techniques
        self._knowledge = knowledge
        self._known_of: dict[str, _Known] = {}
        self._maker = RowMaker(shipped_taxonomy(), mapper.name)

    @classmethod
    def from_pretrained(
        cls, folder: str | Path | None = None, *, knowledge: KnowledgeBase | None = None
    ) -> Assessor:
        """Load the specialists that ship with the package, or those of a folder laid out alike.

        Args:
            folder: A weakness specialist's folder with ``severity`` and ``technique`` inside.
            knowledge: Where mitigations come from; None for none.

        Raises:
            InputError: There is no such folder.
            ModelError: A model is damaged or of a newer format.
        """
        place = None if folder in (None, "embedded") else Path(str(folder))
        return cls(
            CweMapper.load(place),
            SeverityScorer.from_pretrained(place / "severity" if place else None),
            VulnerabilityTechniques(place / "technique" if place else None),
            knowledge,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        # A worker has no knowledge base: all that rows say of one goes along.
        known = {cwe: self._known(cwe) for cwe in self.mapper.config.labels}
        return _in_worker, (self.mapper, self.scorer, self._techniques, known)

    @property
    def digest(self) -> str:
        """What stands for the specialists as a whole."""
        return f"{self.mapper.digest} {self.scorer.digest}"

    @property
    def models(self) -> list[str]:
        """Names and versions of the specialists."""
        return [self.mapper.name, self.scorer.name]

    def assess(self, record: str | Advisory, *, labeller: Labeller = "nvd") -> Assessment:
        """Assess one text or record; see ``assess_many``."""
        return next(self.assess_many([record], labeller=labeller))

    def assess_many(
        self,
        records: Iterable[str | Advisory],
        *,
        labeller: Labeller = "nvd",
        threshold: float | None = None,
    ) -> Iterator[Assessment]:
        """Assess texts or records, in order, a window of them at a time.

        Args:
            records: What to assess. What the labeller asked for says of a record is not read.
            labeller: Whose practice to follow, for weakness and severity.
            threshold: Confidence (0 to 1) under which a weakness is unsure; None for the model's.

        Raises:
            InputError: A text has nothing to read.
        """
        stream = iter(records)
        while window := list(islice(stream, WINDOW)):
            known = [
                record if isinstance(record, Advisory) else Advisory("text", record)
                for record in window
            ]
            shares = self.mapper.probabilities(known, labeller=labeller)
            found = self.mapper.predictions(shares, labeller=labeller, threshold=threshold)
            readings = self.scorer.read(known, labeller)
            for record, share, weakness, reading in zip(
                known, shares, found, readings, strict=True
            ):
                metrics = self.scorer.metric_probabilities(reading.logits, "nvd")
                techniques = self._techniques.likeliest(share, metrics)
                newer = labeller == "cna"
                yield Assessment(
                    record.id,
                    weakness,
                    labeller,
                    self.scorer.answer(reading, scorer=labeller),
                    self.scorer.answer(reading, scorer=labeller, version="4.0") if newer else None,
                    tuple(t for t in techniques if t.probability >= _LIKELY_TECHNIQUE),
                    record,
                )

    def row(self, assessment: Assessment) -> dict[str, Any]:
        """Return the row that ``assess`` writes of a record: the fields of ``map`` and more.

        ``cvss`` is our vector; the record's own stand under ``record``.
        """
        record, weakness = assessment.record, assessment.weakness
        # A bare text comes from nowhere, and its row says nothing of a record.
        made = (
            self._maker.record_row(record, weakness, assessment.labeller)
            if record.where
            else self._maker.row(record.id, weakness, record.description)
        )
        row: dict[str, Any] = msgspec.to_builtins(made)
        for name in ("cvss", "cvss_score", "cvss_severity"):
            row.pop(name, None)
        row["weaknesses"] = self._weaknesses(assessment.weakness)
        row["cvss"] = cvss_row(assessment.cvss)
        row["cvss4"] = cvss_row(assessment.cvss4) if assessment.cvss4 else None
        row["techniques"] = [
            {
                "id": found.id,
                "name": found.name,
                "probability": round(found.probability, _DIGITS),
                "role": found.role,
                "citation": found.id,
            }
            for found in assessment.techniques
        ]
        known = self._known(assessment.weakness.cwe)
        row["mitigations"] = known.mitigations
        row["chain"] = known.chain
        row["record"] = said(assessment.record)
        row["models"] = self.models
        return row

    def _weaknesses(self, prediction: CwePrediction) -> list[dict[str, Any]]:
        taxonomy = shipped_taxonomy()
        first, *others = prediction.candidates[:_WEAKNESSES]
        kept = [first, *(other for other in others if other.probability >= _ANOTHER)]
        return [
            {
                "cwe": found.cwe,
                "name": taxonomy.name(found.cwe),
                "probability": round(found.probability, _DIGITS),
                "primary": place == 0,
                "usage": entry.usage if (entry := taxonomy.get(found.cwe)) else "",
                "catalogue": taxonomy.version,
            }
            for place, found in enumerate(kept)
        ]

    def _known(self, cwe: str) -> _Known:
        if cwe not in self._known_of:
            self._known_of[cwe] = _known(self._knowledge, cwe)
        return self._known_of[cwe]


def _in_worker(
    mapper: CweMapper,
    scorer: SeverityScorer,
    techniques: VulnerabilityTechniques,
    known: dict[str, _Known],
) -> Assessor:
    assessor = Assessor(mapper, scorer, techniques)
    assessor._known_of = known
    return assessor


def _known(knowledge: KnowledgeBase | None, cwe: str) -> _Known:
    if knowledge is None:
        return _Known([], [])
    mitigations = [
        {"text": passage.text, "citation": passage.id}
        for passage in knowledge.page(cwe)
        if passage.kind == "mitigation"
    ]
    chain = [pattern.row() for pattern in knowledge.attack_patterns(cwe)]
    return _Known(mitigations[:_MITIGATIONS], chain)


def cvss_row(found: CvssPrediction) -> dict[str, Any]:
    """Return a vector as rows have it."""
    return {
        "vector": found.vector,
        "score": found.score,
        "severity": found.severity,
        "version": found.version,
        "labeller": found.scorer,
        "probability": round(found.probability, _DIGITS),
        "metrics": {
            name: {
                "value": metric.value,
                "probability": round(metric.probability, _DIGITS),
                "because": list(metric.because),
            }
            for name, metric in found.metrics.items()
        },
    }


def said(record: Advisory) -> dict[str, Any]:
    """Return what a record itself says, and who says it: the kind of party, and its name."""
    return {
        "cwe": [{"cwe": label.cwe, **_by(label)} for label in record.labels],
        "cvss": [
            {"vector": scored.vector, "version": scored.version, **_by(scored)}
            for scored in record.cvss
        ],
    }


def _by(said: CweLabel | CvssVector) -> dict[str, str]:
    return {"by": said.source, **({"name": said.assigner} if said.assigner else {})}


def record_row(row: dict[str, Any]) -> RecordRow:
    """Return a row of ``Assessor.row`` as tables and reports take it."""
    own = newest_vector(
        [CvssVector(said["vector"], said["version"], said["by"]) for said in row["record"]["cvss"]]
    )
    score, severity = base_score(own) if own else (None, "")
    cvss = row["cvss"]
    nothing = {"description": "", "nvd_cwe": (), "cna_cwe": (), "agrees": None}
    fields = {**nothing, "published": "", "url": "", **row}
    assessed = {
        "vector": cvss["vector"],
        "score": cvss["score"],
        "severity": cvss["severity"],
        "vector4": row["cvss4"]["vector"] if row["cvss4"] else "",
        "weaknesses": row["weaknesses"],
        "techniques": row["techniques"],
    }
    return msgspec.convert(
        {
            **fields,
            "cvss": own,
            "cvss_score": score,
            "cvss_severity": severity,
            "assessed": assessed,
        },
        RecordRow,
    )


def parse_precision(
    assessor: Assessor, precision: float | None, labeller: Labeller
) -> float | None:
    """Return the threshold that a precision asks for, or None for the model's own.

    Raises:
        InputError: Validation never reached it.
    """
    if precision is None:
        return None
    if not 0 < precision < 1:
        raise InputError(f"--precision must be between 0 and 1, not {precision}")
    return assessor.mapper.threshold_at(precision, labeller)
