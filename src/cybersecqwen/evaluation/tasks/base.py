"""What a task is: a name, the kind of its answers, and how its questions are read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cybersecqwen.core.answer_parsing import AnswerKind
from cybersecqwen.core.records import Labeller, Question


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """What some tasks need beside their question file.

    Attributes:
        gold: File with the expected answers, where the question file has none.
        labeller: Whose labels are expected, for a hold-out with several.
        since: Earliest publication date, ``YYYY-MM-DD`` or its beginning; empty for all.
        without_near_duplicates: Whether to leave out a hold-out's rows that are near-duplicates of
            training rows.
    """

    gold: Path | None = None
    labeller: Labeller = "nvd"
    since: str = ""
    without_near_duplicates: bool = False


@dataclass(frozen=True, slots=True)
class Task:
    """An evaluation task.

    Attributes:
        name: What a user types.
        title: What a report says.
        kind: What its answers are; decides the readers and the scores.
        load: Reads its questions; raises ``InputError`` where the file cannot be used.
        shipped: The question file that is in the package, for a task of our own; read where no
            other is named.
        duplicates: Ids of questions that repeat another; a protocol may drop them.
    """

    name: str
    title: str
    kind: AnswerKind
    load: Callable[[Path, LoadOptions], list[Question]]
    duplicates: frozenset[str] = frozenset()
    shipped: Path | None = None
