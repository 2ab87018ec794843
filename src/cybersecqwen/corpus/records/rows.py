"""The lines of corpus files, and the evidence that filters leave behind."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.files import atomic_write
from cybersecqwen.core.records import LabelSource

LineT = TypeVar("LineT")

PARTS = ("train", "validation", "unlabelled")
"""Names of a corpus's files of rows, without their ``.jsonl``."""

LABELLERS: tuple[LabelSource, ...] = ("nvd", "cna", "adp")

CVE_ID = re.compile(r"CVE-(\d{4})-(\d{4,})", re.IGNORECASE)

Stage = Literal["unreadable", "rejected", "benchmark", "duplicate", "guard"]
"""Why a record is in no part: its source could not be read, its CVE was rejected, it overlaps a
benchmark, it repeats another row, or it is on both sides of the split."""

Measure = Literal["id", "text", "excerpt", "digits", "ngram", "cosine", "words"]
"""How two records were found to be the same: by CVE id, or as
``cybersecqwen.corpus.cleaning.similarity`` defines the others."""


class Labels(msgspec.Struct, frozen=True):
    """Weakness ids per labeller, each in the labeller's own order, the main one first."""

    nvd: tuple[str, ...] = ()
    cna: tuple[str, ...] = ()
    adp: tuple[str, ...] = ()

    def of(self, labeller: LabelSource) -> tuple[str, ...]:
        """Return the ids one labeller assigned."""
        ids: tuple[str, ...] = getattr(self, labeller)
        return ids

    def __bool__(self) -> bool:
        return bool(self.nvd or self.cna or self.adp)


class CorpusRow(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line of a corpus file.

    Attributes:
        id: CVE id.
        text: Description as published.
        published: ``YYYY-MM-DD``, or an empty string when unknown.
        labels: Who says it is what.
        familiar: In validation alone: whether a training row is near it.
    """

    id: str
    text: str
    published: str
    labels: Labels
    familiar: bool = False

    @property
    def year(self) -> int | None:
        """Year of publication, else the id's year, else None."""
        if self.published:
            return int(self.published[:4])
        match = CVE_ID.match(self.id)
        return int(match[1]) if match else None


class Match(msgspec.Struct, frozen=True, order=True):
    """One reason for taking a row out.

    Attributes:
        measure: How it was found.
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


def write_lines(path: Path, lines: Iterable[msgspec.Struct]) -> None:
    """Write a JSONL file, atomically."""
    encoder = msgspec.json.Encoder()
    with atomic_write(path) as stream:
        for line in lines:
            stream.write(encoder.encode(line) + b"\n")


def read_lines(path: Path, decode: Callable[[bytes], LineT]) -> Iterator[tuple[int, LineT]]:
    """Yield each line of a JSONL file, decoded, with its number, counted from 1.

    Raises:
        InputError: The file is missing or a line cannot be decoded; the message names the line.
    """
    try:
        with path.open("rb") as stream:
            for number, line in enumerate(stream, 1):
                if not line.strip():
                    continue
                try:
                    yield number, decode(line)
                except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
                    raise InputError(f"{path}:{number}: not a row of a corpus: {error}") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
