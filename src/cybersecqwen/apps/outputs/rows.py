"""The row of output that a prediction becomes, alone or beside the record it is about."""

from __future__ import annotations

from typing import Any

import msgspec

from cybersecqwen.apps.outputs.mapping_usage import is_allowed, nearest_allowed
from cybersecqwen.apps.outputs.record_facts import RecordFacts, agreement
from cybersecqwen.core.freshness import age_of, age_warning
from cybersecqwen.core.records import Advisory, Band, Candidate, CwePrediction, Labeller
from cybersecqwen.core.taxonomy import Taxonomy
from cybersecqwen.core.text.denials import split_denials

_DIGITS = 6
"""Decimal places of a probability: more says nothing, and single precision has no more."""


class NamedCwe(msgspec.Struct, frozen=True):
    """An id, MITRE's name for it, its probability (0 to 1) and MITRE's mapping usage."""

    cwe: str
    name: str
    probability: float
    usage: str = ""


class MapRow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What ``map`` writes of one text.

    Attributes:
        id: The record's id.
        cwe: The answer; when the model abstains, its best guess.
        name: MITRE's name of it.
        confidence: Calibrated probability (0 to 1) of ``cwe``.
        candidates: Likeliest ids, best first.
        abstained: Whether ``confidence`` is under the threshold.
        backoff: On abstention, the most specific ancestor that is sure enough, if there is one.
        model: Name and version of the model.
        band: ``sure``, ``likely`` or ``unsure``; see ``CwePrediction``.
        usage: MITRE's mapping usage of ``cwe``: ``allowed``, ``allowed-with-review``,
            ``discouraged`` or ``prohibited``.
        catalogue: Version of the CWE catalogue that names and usage come from.
        instead_of: The model's own answer, where ``cwe`` is the nearest id that MITRE allows.
        reason: Why, in a language model's words, where it was asked for them.
        denied: Words by which the text says that a flaw is not there; the specialists leave them
            out of what they read.
        warning: What is past the age that the site sets; see ``core.freshness``.
    """

    id: str
    cwe: str
    name: str
    confidence: float
    candidates: tuple[NamedCwe, ...]
    abstained: bool
    backoff: NamedCwe | None
    model: str
    usage: str
    catalogue: str
    band: Band | None = None
    instead_of: NamedCwe | None = None
    reason: str = ""
    denied: tuple[str, ...] = ()
    warning: str = ""


class NamedTechnique(msgspec.Struct, frozen=True):
    """A technique of ATT&CK, its name, its probability (0 to 1) and what it is to the attacker."""

    id: str
    name: str
    probability: float
    role: str


class Assessed(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the other specialists say of a record, as tables and reports show it.

    Attributes:
        vector: CVSS v3.1 vector.
        score: Its base score, 0 to 10.
        severity: ``none``, ``low``, ``medium``, ``high`` or ``critical``.
        vector4: CVSS v4.0 vector; empty where there is none.
        weaknesses: The weakness, and others that the record may have besides.
        techniques: What an attacker does with it, likeliest first.
    """

    vector: str
    score: float
    severity: str
    vector4: str = ""
    weaknesses: tuple[NamedCwe, ...] = ()
    techniques: tuple[NamedTechnique, ...] = ()


class RecordRow(MapRow, frozen=True, kw_only=True, omit_defaults=True):
    """A row of a file of records: the answer, and what the record itself says.

    Attributes:
        title: The record's title, where it has one.
        description: Its text.
        nvd_cwe: Ids that NVD's analysts assigned.
        cna_cwe: Ids that the record's own CNA or publisher assigned, or CISA where those did not.
        agrees: Whether ``cwe`` is among the record's own ids; None where it has none.
        cvss: Its CVSS vector of the newest version.
        cvss_score: Base score of that vector, 0 to 10; None without a vector that can be scored.
        cvss_severity: ``none``, ``low``, ``medium``, ``high`` or ``critical``; empty without a
            score.
        published: ``YYYY-MM-DD``, or an empty string.
        url: A page about the record.
        file: The input file's name, relative to where it was read.
        line: Line of that file, from 1; 0 where it is not known.
        columns: The input's own columns, as they were.
        assessed: What the other specialists say; None where it was mapped alone.
    """

    title: str = ""
    description: str
    nvd_cwe: tuple[str, ...]
    cna_cwe: tuple[str, ...]
    agrees: bool | None
    cvss: str
    cvss_score: float | None
    cvss_severity: str
    published: str
    url: str
    file: str = ""
    line: int = 0
    columns: dict[str, Any] = {}
    assessed: Assessed | None = None

    @property
    def shown_severity(self) -> tuple[float | None, str]:
        """Score and severity to count it by: the record's own, else the specialist's."""
        if self.cvss_severity or self.assessed is None:
            return self.cvss_score, self.cvss_severity
        return self.assessed.score, self.assessed.severity

    @property
    def scored_by_us(self) -> bool:
        """Whether that severity is the specialist's."""
        return not self.cvss_severity and self.assessed is not None


class RowMaker:
    """Turns predictions into rows.

    Args:
        taxonomy: Where names, usage and parents come from.
        model: Name and version of the model.
        allowed_only: Whether an id that MITRE discourages or prohibits for mapping is replaced by
            the nearest one that it allows.
    """

    def __init__(
        self,
        taxonomy: Taxonomy,
        model: str,
        *,
        allowed_only: bool = False,
    ) -> None:
        self._taxonomy = taxonomy
        self._model = model
        self._allowed_only = allowed_only
        self.warning = age_warning([age_of("CWE catalogue", taxonomy.version, taxonomy.date)])
        """What every row warns of; empty for nothing."""

    def row(self, record_id: str, prediction: CwePrediction, text: str = "") -> MapRow:
        """Return the row of a text; a surrogate in its id, which no UTF-8 has, is spelt out.

        Args:
            record_id: Its id.
            prediction: What the classifier says of it.
            text: What was classified; without it the row does not say what it denies.
        """
        return MapRow(**self._answer(record_id, prediction, text))

    def record_row(
        self, record: Advisory, prediction: CwePrediction, labeller: Labeller = "nvd"
    ) -> RecordRow:
        """Return the row of a record, with what the record says beside the answer.

        Args:
            record: The record.
            prediction: What the classifier says of it.
            labeller: Whose convention it follows: whose labels it is compared with first.
        """
        answer = self._answer(record.id, prediction, record.description)
        facts = RecordFacts.of(record)
        return RecordRow(
            **answer,
            title=_writable(facts.title),
            description=_writable(record.description),
            nvd_cwe=facts.nvd_cwe,
            cna_cwe=facts.cna_cwe,
            agrees=agreement(answer["cwe"], facts, labeller),
            cvss=facts.cvss,
            cvss_score=facts.cvss_score,
            cvss_severity=facts.cvss_severity,
            published=facts.published,
            url=_writable(facts.url),
            file=_writable(facts.file),
            line=facts.line,
            columns={_writable(name): _writable_value(v) for name, v in facts.columns.items()},
        )

    def _answer(self, record_id: str, prediction: CwePrediction, text: str) -> dict[str, Any]:
        named = self._named
        own = named(Candidate(prediction.cwe, prediction.confidence))
        answer, candidates, backoff = own, prediction.candidates, prediction.backoff
        if self._allowed_only:
            taxonomy = self._taxonomy
            answer = named(nearest_allowed(taxonomy, prediction))
            candidates = tuple(c for c in candidates if is_allowed(taxonomy, c.cwe))
            backoff = backoff if backoff and is_allowed(taxonomy, backoff.cwe) else None
        replaced = answer.cwe != own.cwe
        return {
            "id": _writable(record_id),
            "cwe": answer.cwe,
            "name": answer.name,
            "confidence": answer.probability,
            "candidates": tuple(map(named, candidates)),
            # The threshold was met by the id that is not proposed.
            "abstained": prediction.abstained or replaced,
            "backoff": named(backoff) if backoff else None,
            "model": self._model,
            "usage": answer.usage,
            "catalogue": self._taxonomy.version,
            "band": "unsure" if replaced else prediction.band,
            "instead_of": own if replaced else None,
            "reason": prediction.reason,
            "denied": tuple(map(_writable, split_denials(text)[1])),
            "warning": self.warning,
        }

    def _named(self, candidate: Candidate) -> NamedCwe:
        entry = self._taxonomy.get(candidate.cwe)
        return NamedCwe(
            candidate.cwe,
            entry.name if entry else "",
            round(candidate.probability, _DIGITS),
            entry.usage if entry else "",
        )


def _writable(text: str) -> str:
    """Spell lone surrogates out, which no UTF-8 has."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _writable_value(value: Any) -> Any:
    if isinstance(value, str):
        return _writable(value)
    if isinstance(value, dict):
        return {_writable(str(key)): _writable_value(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_writable_value(inner) for inner in value]
    return value
