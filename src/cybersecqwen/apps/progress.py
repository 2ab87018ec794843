"""Progress of a job, reported to its caller."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

ItemT = TypeVar("ItemT")


@dataclass(frozen=True, slots=True)
class JobProgress:
    """How far a job is.

    Attributes:
        stage: What it does now, in a few words.
        done: Items of this stage that are done.
        total: Items of this stage in all; None where that is not known, or nothing is counted.
        share: Share of the stage that is done (0 to 1), for jobs that know it without a total,
            such as by the bytes read of a file; None where it is not known.
    """

    stage: str
    done: int = 0
    total: int | None = None
    share: float | None = None

    @property
    def fraction(self) -> float | None:
        """Share of the stage that is done (0 to 1); None where it is not known."""
        if self.share is None and self.total:
            return self.done / self.total
        return self.share


OnProgress = Callable[[JobProgress], None]
"""Called as a job goes on; returns nothing, and an exception from it ends the job."""


def ignore(progress: JobProgress) -> None:
    """Take no notice."""


def counted(
    items: Iterable[ItemT], stage: str, total: int | None, on_progress: OnProgress
) -> Iterator[ItemT]:
    """Pass items through, reporting each."""
    on_progress(JobProgress(stage, 0, total))
    for done, item in enumerate(items, 1):
        yield item
        on_progress(JobProgress(stage, done, total))
