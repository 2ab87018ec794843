from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("accelerate")
pytestmark = pytest.mark.torch

from cybersecqwen.core.rows import CorpusRow, labels_of  # noqa: E402
from cybersecqwen.training.specialist.rows import (  # noqa: E402
    NO_LABEL,
    age_weights,
    choose_labels,
    label_numbers,
)

ROWS = [
    CorpusRow(
        "CVE-2024-1", "x", "2024-01-01", labels_of(nvd=("CWE-79",), cna=("CWE-80", "CWE-79"))
    ),
    CorpusRow("CVE-2020-2", "y", "2020-01-01", labels_of(nvd=("CWE-20", "CWE-79"))),
    CorpusRow("CVE-2024-3", "z", "", labels_of(cna=("CWE-79",))),
]


def test_labels_are_first_ids_with_enough_rows() -> None:
    assert choose_labels(ROWS, ("nvd", "cna"), 2) == ["CWE-79"]
    assert choose_labels(ROWS, ("nvd", "cna"), 1) == ["CWE-20", "CWE-79", "CWE-80"]


def test_label_numbers_fall_through_to_the_first_known_id() -> None:
    numbers = label_numbers(ROWS, ["CWE-79", "CWE-80"], ("nvd", "cna"))
    assert numbers.tolist() == [[0, 1], [0, NO_LABEL], [NO_LABEL, 0]]


def test_age_halves_a_label_down_to_the_floor() -> None:
    weights = age_weights(ROWS, half_life_years=2.0, floor=0.3)
    assert weights[2] == pytest.approx(1.0)  # no date: the middle of its id's year, the newest
    assert weights[0] == pytest.approx(0.5 ** (0.5 / 2), abs=0.01)
    assert weights[1] == pytest.approx(0.3)
    assert weights.dtype == np.float32
