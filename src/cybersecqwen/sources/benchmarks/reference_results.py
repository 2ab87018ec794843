"""Released results of CyberSecQwen-4B and its baselines: one JSON file a model, plain or ``.gz``.

A file holds ``subsets``, by task, with ``trials``; the last trial of each has ``predictions``:
every item's raw output (cut at 1,000 characters), the answer its authors read, and the gold.
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import msgspec

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.lenient_json import LenientDecoder

CUT_CHARACTERS = 1000
"""Where the release cuts raw outputs; one of this length may lack its end."""


class ReleasedAnswer(msgspec.Struct, frozen=True):
    """One item of the last trial.

    Attributes:
        idx: The question's 0-based row.
        gold: The expected answer.
        pred_raw: What the model wrote, at most ``CUT_CHARACTERS`` characters.
        pred: What its authors read, or None.
        correct: Whether they counted it as right.
        url: The question's source page.
    """

    idx: int
    gold: str
    pred_raw: str
    pred: str | None
    correct: bool
    url: str = ""

    @property
    def cut(self) -> bool:
        """Whether the raw output may lack its end."""
        return len(self.pred_raw) >= CUT_CHARACTERS


class ReleasedTrial(msgspec.Struct, frozen=True):
    """One pass over a task's questions; only the last has its ``predictions``."""

    n: int
    correct: int
    accuracy_total: float
    predictions: list[ReleasedAnswer] = []


class ReleasedTask(msgspec.Struct, frozen=True):
    """A task's trials, in order."""

    trials: list[ReleasedTrial]


class ReleasedResults(msgspec.Struct, frozen=True):
    """A whole file."""

    model: str
    subsets: dict[str, ReleasedTask]
    temperature: float = 0.3
    max_tokens: int = 512
    protocol: str = ""
    started_at: str = ""


def read_results(path: Path) -> ReleasedResults:
    """Read a released file.

    Raises:
        InputError: It cannot be read, is no such file, a task has no saved answers, or two
            answers are of one row.
    """
    try:
        data = path.read_bytes()
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
        results = LenientDecoder(ReleasedResults).decode(data)
    except (OSError, EOFError, zlib.error, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a file of released results: {error}") from error
    for task, subset in results.subsets.items():
        answers = subset.trials[-1].predictions if subset.trials else []
        if not answers:
            raise InputError(f"{path}: {task}: the last trial has no predictions")
        rows = [answer.idx for answer in answers]
        if len(set(rows)) != len(rows):
            twice = next(row for row in rows if rows.count(row) > 1)
            raise InputError(f"{path}: {task}: idx {twice} occurs twice")
    return results
