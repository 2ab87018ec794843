"""Removals and their evidence: what the filters of a corpus build leave behind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import msgspec

from cybersecqwen.core.records import LabelSource
from cybersecqwen.core.rows import CVE_ID, CorpusRow

PARTS = ("train", "validation", "unlabelled")
"""Names of a corpus's files of rows, without their ``.jsonl``."""

REWORDED = "reworded"
"""Name of the file of descriptions told in plain words, if a language model told any."""

LABELLERS: tuple[LabelSource, ...] = ("nvd", "cna", "adp")

Stage = Literal["unreadable", "rejected", "benchmark", "duplicate", "guard"]
"""Why a record is in no part: its source could not be read, its CVE was rejected, it overlaps a
benchmark, it repeats another row, or it is on both sides of the split."""

Measure = Literal["id", "text", "excerpt", "digits", "ngram", "cosine", "words"]
"""How two records were found to be the same: by CVE id, or as
``cybersecqwen.corpus.cleaning.similarity`` defines the others."""


class Match(msgspec.Struct, frozen=True, order=True):
    """One reason for taking a row out.

    Attributes:
        measure: Name of the similarity measure that found it.
        against: Name of the benchmark file, or the corpus part that the other row is in.
        item: The other record's id.
        score: From 0 to 1, at the measure's own scale.
    """

    measure: Measure
    against: str
    item: str
    score: float


class Removal(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line of ``removed.jsonl``. It never quotes a text.

    Attributes:
        id: The record's id, or an empty string where it could not be read.
        stage: Which filter took it out.
        matches: What it was found to repeat, for the filters that compare.
        reason: Where it stood and what is wrong, for those that do not.
    """

    id: str
    stage: Stage
    matches: tuple[Match, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Filtered:
    """What a filter leaves and what it takes out, both in the order of its input."""

    kept: list[CorpusRow]
    removed: list[Removal]


def id_order(record_id: str) -> tuple[int, int, str]:
    """Return a sort key: CVE ids by year and number, before everything else by its characters."""
    match = CVE_ID.fullmatch(record_id)
    return (int(match[1]), int(match[2]), "") if match else (1 << 31, 0, record_id)


def age_order(row: CorpusRow) -> tuple[str, tuple[int, int, str]]:
    """Return a sort key: oldest first, by publication date (or the id's year) and then by id."""
    return row.published or f"{row.year or 0:04d}", id_order(row.id)
