"""What a student learns from descriptions that a language model told in plain words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cybersecqwen.core.rows import CorpusRow
from cybersecqwen.training.specialist.rows import NO_LABEL
from cybersecqwen.training.specialist.supervision import SoftLabels, average

_STILL_TOLD = 0.1


def still_told(labels: NDArray[np.int64], said: SoftLabels) -> NDArray[np.bool_]:
    """Return which of N rows still tell of a label: to which the teacher gives a tenth or more.

    Args:
        labels: (N, L) numbers.
        said: What a teacher makes of the rows.
    """
    given = labels[:, :, None] != NO_LABEL
    share = (said.probabilities * (said.ids == labels[:, :, None]) * given).sum(-1)  # (N, L)
    return np.asarray((share >= _STILL_TOLD).any(1))


def told_by(rows: Sequence[CorpusRow], reworded: Sequence[CorpusRow]) -> NDArray[np.int64]:
    """Return which row each rewording is of, (N,), by their CVE ids; -1 for none."""
    places = {row.id: place for place, row in enumerate(rows)}
    return np.array([places.get(row.id, -1) for row in reworded], np.int64)


def halves(
    said: SoftLabels, of_rows: SoftLabels, owners: NDArray[np.int64], ids: int
) -> SoftLabels:
    """Return soft labels of rewordings: half what is said of them, half what of their rows.

    Args:
        said: What a teacher makes of N rewordings.
        of_rows: Soft labels of all rows.
        owners: (N,), the row of each rewording.
        ids: How many ids there are.
    """
    return average([said, select(of_rows, owners)], ids)


def select(soft: SoftLabels, rows: NDArray[np.int64] | NDArray[np.bool_] | slice) -> SoftLabels:
    """Return the soft labels of some rows."""
    return SoftLabels(soft.ids[rows], soft.probabilities[rows])


def join(first: SoftLabels, second: SoftLabels) -> SoftLabels:
    """Return the soft labels of some rows, then of others."""
    return SoftLabels(
        np.concatenate((first.ids, second.ids)),
        np.concatenate((first.probabilities, second.probabilities)),
    )
