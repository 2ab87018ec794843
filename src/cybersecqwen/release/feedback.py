"""Corrections that analysts made on the page: what they say of the model, and as training rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from scipy.stats import binomtest

from cybersecqwen.core.jsonl import read_rows
from cybersecqwen.core.taxonomy import Taxonomy, canonical_cwe

_BANDS = ((0.0, 0.5), (0.5, 0.8), (0.8, 1.01))


class _Predicted(msgspec.Struct):
    cwe: str = ""
    confidence: float = 0.0
    model: str = ""


class _Line(msgspec.Struct):
    """A line of the file that the page's export writes."""

    id: str
    description: str
    labels: dict[str, list[str]]
    predicted: dict[str, _Predicted] = {}
    saved: dict[str, str] = {}


@dataclass(frozen=True)
class Correction:
    """What an analyst said of one answer.

    Attributes:
        id: The record's id.
        text: Its description.
        labeller: Whose convention was followed.
        cwe: What the analyst says it is.
        predicted: What the model had said; empty where that is not known.
        confidence: The model's probability of that.
        saved: When it was said, ISO 8601; empty where that is not known.
    """

    id: str
    text: str
    labeller: str
    cwe: str
    predicted: str
    confidence: float
    saved: str

    @property
    def confirms(self) -> bool:
        """Whether the analyst found the model right."""
        return self.cwe == self.predicted


@dataclass(frozen=True)
class BandFeedback:
    """Feedback on answers of a range of confidence.

    Attributes:
        low: Least confidence.
        high: Up to this one.
        answers: Number of judged answers.
        right: Number of confirmed answers.
        expected: How many the model's own probabilities would have right.
    """

    low: float
    high: float
    answers: int
    right: int
    expected: float


@dataclass(frozen=True)
class FeedbackSummary:
    """What corrections say together.

    Attributes:
        answers: Answers that were judged.
        right: Those that were confirmed.
        low: Lower end of the 95 % interval (Wilson) of the share confirmed.
        high: Its upper end.
        confusions: What was said, what it should have been, how often; commonest first.
        bands: Counts by band of confidence.
    """

    answers: int
    right: int
    low: float
    high: float
    confusions: tuple[tuple[str, str, int], ...]
    bands: tuple[BandFeedback, ...]


def read_corrections(paths: Iterable[Path]) -> list[Correction]:
    """Read files that the page exported; of two corrections of one answer the later one counts.

    Raises:
        InputError: A file cannot be read, or a line is no correction.
    """
    kept: dict[tuple[str, str], Correction] = {}
    for path in paths:
        for _, found in read_rows(path, _Line, "not a correction as the page exports them"):
            for labeller, ids in found.labels.items():
                said = found.predicted.get(labeller, _Predicted())
                correction = Correction(
                    found.id,
                    found.description,
                    labeller,
                    canonical_cwe(ids[0]) or ids[0] if ids else "",
                    said.cwe,
                    said.confidence,
                    found.saved.get(labeller, ""),
                )
                before = kept.get((found.id, labeller))
                if before is None or before.saved <= correction.saved:
                    kept[found.id, labeller] = correction
    return list(kept.values())


def summarise_feedback(corrections: Sequence[Correction]) -> FeedbackSummary:
    """Count confirmations and confusions."""
    judged = [correction for correction in corrections if correction.predicted]
    right = sum(correction.confirms for correction in judged)
    low, high = 0.0, 1.0
    if judged:
        low, high = binomtest(right, len(judged)).proportion_ci(method="wilson")
    wrong = Counter((c.predicted, c.cwe) for c in judged if not c.confirms)
    bands = []
    for begin, end in _BANDS:
        inside = [c for c in judged if begin <= c.confidence < end]
        confirmed = sum(c.confirms for c in inside)
        expected = sum(c.confidence for c in inside)
        bands.append(BandFeedback(begin, min(end, 1.0), len(inside), confirmed, expected))
    confusions = tuple((said, meant, count) for (said, meant), count in wrong.most_common(10))
    return FeedbackSummary(len(judged), right, float(low), float(high), confusions, tuple(bands))


def training_rows(
    corrections: Sequence[Correction], taxonomy: Taxonomy
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return rows for ``corpus build`` (format ``jsonl``), and why corrections were left out.

    Args:
        corrections: What analysts said.
        taxonomy: Tells which ids MITRE lets records be mapped to.
    """
    rows: dict[str, dict[str, Any]] = {}
    left_out = []
    for correction in corrections:
        if not correction.text.strip():
            left_out.append(f"{correction.id}: no text")
        elif correction.cwe not in taxonomy:
            left_out.append(f"{correction.id}: {correction.cwe} is not in the catalogue")
        elif not taxonomy.is_mappable(correction.cwe):
            left_out.append(f"{correction.id}: {correction.cwe} may not be mapped to")
        else:
            row = rows.setdefault(
                correction.id,
                {"id": correction.id, "description": correction.text, "labels": {}},
            )
            row["labels"][correction.labeller] = [correction.cwe]
            row["published"] = correction.saved[:10]
    return list(rows.values()), left_out
