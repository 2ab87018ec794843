"""Descriptions told in plain words, as a student learns them."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from cybersecqwen.core.rows import CorpusRow, labels_of  # noqa: E402
from cybersecqwen.training.specialist.reworded import (  # noqa: E402
    halves,
    join,
    select,
    still_told,
    told_by,
)
from cybersecqwen.training.specialist.rows import NO_LABEL  # noqa: E402
from cybersecqwen.training.specialist.supervision import SoftLabels  # noqa: E402


def soft(*shares: tuple[float, float]) -> SoftLabels:
    """Shares of ids 0 and 1 for each row, of one labeller."""
    ids = np.tile(np.array([0, 1], np.int16), (len(shares), 1, 1))
    return SoftLabels(ids, np.array(shares, np.float16)[:, None, :])


def test_a_rewording_that_no_longer_tells_of_its_label_is_left_out() -> None:
    labels = np.array([[0], [1], [1], [NO_LABEL]])
    said = soft((0.9, 0.1), (0.95, 0.05), (0.8, 0.2), (1.0, 0.0))
    assert still_told(labels, said).tolist() == [True, False, True, False]


def test_half_is_said_of_the_rewording_and_half_of_its_row() -> None:
    rows = [CorpusRow(f"CVE-2024-{n}", "x", "", labels_of(nvd=("CWE-79",))) for n in range(3)]
    told = [CorpusRow(f"CVE-2024-{n}", "y", "", labels_of(nvd=("CWE-79",))) for n in (2, 9)]
    owners = told_by(rows, told)
    assert owners.tolist() == [2, -1]
    of_rows = soft((1, 0), (1, 0), (0.2, 0.8))
    mixed = halves(soft((0.6, 0.4)), of_rows, owners[:1], 2)
    share = float(mixed.probabilities[0, 0][mixed.ids[0, 0] == 0].sum())
    assert share == pytest.approx(0.4, abs=0.001)
    assert len(join(of_rows, mixed).ids) == 4
    assert select(of_rows, np.array([2])).probabilities[0, 0].tolist() == pytest.approx(
        [0.2, 0.8], abs=0.001
    )
