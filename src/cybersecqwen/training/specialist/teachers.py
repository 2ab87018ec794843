"""What a student's teachers say of its rows: each is fitted once, and what it says is kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from cybersecqwen.core.files import atomic_write
from cybersecqwen.training.hf_trainer import processes

TeacherT = TypeVar("TeacherT")

Report = Callable[[str, float], None]
"""Takes a finished stage's name and its minutes."""


def taught_by(
    teachers: Sequence[TeacherT],
    folder: Path,
    report: Report,
    teach: Callable[[TeacherT, Path], Callable[[], dict[str, Any]]],
) -> list[dict[str, NDArray[Any]]]:
    """Return what each teacher says of the rows, arrays by name.

    Args:
        teachers: Of the recipe.
        folder: Of the stages; a teacher works in ``teacher-N`` there, and what it says stays in
            its ``soft.npz``, where a resumed run finds it.
        report: Told of each teacher.
        teach: Fits a teacher in its folder, in every process of a launch, and returns what asks
            it, which the main process alone calls.
    """
    said = []
    for number, teacher in enumerate(teachers):
        start = time.monotonic()
        place = folder / f"teacher-{number}"
        kept = place / "soft.npz"
        if not kept.exists():
            ask = teach(teacher, place)
            with processes().main_process_first():
                if not kept.exists():
                    with atomic_write(kept) as stream:
                        np.savez(stream, **ask())
        said.append(kept_answers(folder, number))
        report(f"teacher {number}", (time.monotonic() - start) / 60)
    return said


def kept_answers(folder: Path, number: int) -> dict[str, NDArray[Any]]:
    """Return what a teacher of ``taught_by``, which has ended, says of the rows."""
    with np.load(folder / f"teacher-{number}" / "soft.npz") as arrays:
        return {name: arrays[name] for name in arrays.files}
