"""What a technique specialist learns from, as ``corpus techniques`` leaves it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from cybersecqwen.core.jsonl import read_rows
from cybersecqwen.core.technique_rows import OpeningRow, ReportRow, TechniqueEntry, TechniqueRow
from cybersecqwen.core.text.clean import render

RowT = TypeVar("RowT", bound=msgspec.Struct)
_ACTORS = (
    "The adversary",
    "The attackers",
    "An intruder",
    "The malware",
    "The implant",
    "The group",
    "The threat actor",
    "The sample",
    "It",
)


@dataclass(frozen=True)
class TechniqueCorpus:
    """Sentences, reports and openings to learn, and sentences and reports that are held out.

    There are C techniques of M main ones. Without a teacher there are no scenarios and no
    paragraphs, and a corpus of an older version has neither reports nor openings.
    """

    techniques: list[TechniqueEntry]
    train: list[TechniqueRow]
    validation: list[TechniqueRow]
    scenarios: list[TechniqueRow]
    reports: list[ReportRow]
    paragraphs: list[ReportRow]
    openings: list[OpeningRow]

    @cached_property
    def places(self) -> dict[str, int]:
        """Return the place of each technique."""
        return {technique.id: index for index, technique in enumerate(self.techniques)}

    @cached_property
    def mains(self) -> list[str]:
        """Return the ids of the main techniques, ascending."""
        return sorted({technique.id.split(".")[0] for technique in self.techniques})

    @cached_property
    def parents(self) -> NDArray[np.int64]:
        """Return the place of each technique's main one, (C,)."""
        order = {name: place for place, name in enumerate(self.mains)}
        return np.array([order[t.id.split(".")[0]] for t in self.techniques], np.int64)

    def numbers(self, examples: Sequence[TechniqueRow]) -> NDArray[np.int64]:
        """Return each example's technique's place, (N,)."""
        return np.array([self.places[example.technique] for example in examples], np.int64)


def read_technique_corpus(folder: Path) -> TechniqueCorpus:
    """Read what ``corpus techniques`` built.

    Raises:
        InputError: A file is missing or damaged.
    """
    what = "not a row of a technique corpus"

    def rows(name: str, kind: type[RowT]) -> list[RowT]:
        return [row for _, row in read_rows(folder / f"{name}.jsonl", kind, what)]

    def optional(name: str, kind: type[RowT]) -> list[RowT]:
        return rows(name, kind) if (folder / f"{name}.jsonl").exists() else []

    return TechniqueCorpus(
        rows("techniques", TechniqueEntry),
        rows("train", TechniqueRow),
        rows("validation", TechniqueRow),
        optional("scenarios", TechniqueRow),
        optional("reports", ReportRow),
        optional("paragraphs", ReportRow),
        optional("openings", OpeningRow),
    )


def with_actor(text: str, number: int) -> str:
    """Return a procedure with somebody for ``{actor}``, the first at its sentence's beginning."""
    name = _ACTORS[number % len(_ACTORS)]
    lower = name[0].lower() + name[1:]
    start = text.startswith("{actor}")
    text = text.replace("{actor}", name, 1) if start else text
    return text.replace("{actor}", lower)


def example_texts(examples: Sequence[TechniqueRow]) -> list[str]:
    """Return examples as they are read."""
    return [render(with_actor(example.text, row)) for row, example in enumerate(examples)]
