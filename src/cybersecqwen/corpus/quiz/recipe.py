"""The recipe of a quiz: every choice that makes it."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from cybersecqwen.core.config import Recipe
from cybersecqwen.corpus.records.recipe import NearDuplicate

Count = Annotated[int, Meta(ge=1)]


class Lengths(Recipe, frozen=True):
    """Bounds on texts.

    Attributes:
        question: Characters of a question, at least and at most.
        option: Characters of an option, at most.
    """

    question: tuple[Count, Count] = (20, 420)
    option: Count = 220


class QuizRecipe(Recipe, frozen=True, kw_only=True):
    """Multiple-choice questions from knowledge sources.

    Attributes:
        kind: Tells it from corpora of records and of conversations.
        name: Name of the quiz.
        sources: Files of CWE (JSON or XML), ATT&CK and CAPEC (STIX), relative to the data folder.
        benchmarks: Files, relative to the data folder, that no question may overlap.
        seed: Seed of every random draw.
        per_page: Questions of one kind on one page, at most.
        per_kind: Questions of one kind, at most; each kind's are drawn evenly over its pages.
        options: How many options a question has: each draws one of these.
        validation_every: One page in so many is held out whole, its sub-pages with it.
        near_duplicate: From where on a question counts as a benchmark's.
        lengths: Bounds.
        written: Questions that a teacher, where there is one, is asked to write, at most.
    """

    kind: Literal["quiz"] = "quiz"
    name: str
    sources: Annotated[tuple[str, ...], Meta(min_length=1)]
    benchmarks: tuple[str, ...] = ()
    seed: int = 42
    per_page: Count = 2
    per_kind: Count = 600
    options: Annotated[tuple[Annotated[int, Meta(ge=2, le=10)], ...], Meta(min_length=1)] = (
        4,
        4,
        5,
    )
    validation_every: Annotated[int, Meta(ge=2)] = 6
    near_duplicate: NearDuplicate = NearDuplicate()
    lengths: Lengths = Lengths()
    written: Count = 12_000
