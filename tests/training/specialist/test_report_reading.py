from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from cybersecqwen.training.specialist.report_reading import (  # noqa: E402
    fit_report_reading,
    mean_f1,
)
from cybersecqwen.training.specialist.technique_corpus import ToldReport  # noqa: E402


def report_odds(text: str) -> np.ndarray:
    """Return what stands in a text, and by sentence one technique more."""
    odds = np.full((4, 4), -3.0)
    for place, name in enumerate(("T1", "T2", "T3", "T4")):
        if name in text:
            odds[place, :2] = (-1.0, 2.0)
    odds[len(text) % 4, 0] += 4  # the sentence alone says nothing
    return odds


def test_the_clause_weighs_where_it_alone_tells() -> None:
    named = [("T1",), ("T2.001", "T3"), ("T4", "T1"), ("T3",), ("T2",), ("T4",), ("T1", "T3")]
    reports = [
        ToldReport(" ".join(names) + " " * number, names, f"S{number}")
        for number, names in enumerate(named * 3)
    ]
    reading, score = fit_report_reading(report_odds, ("T1", "T2", "T2.001", "T3", "T4"), reports)
    assert reading.clause > abs(reading.sentence)
    assert score > 0.95
    assert 0.1 <= reading.threshold <= 0.6


def test_the_mean_f1_of_sets() -> None:
    told = np.array([[True, True, False], [False, False, True]])
    said = np.array([[True, False, False], [False, True, False]])
    assert mean_f1(said, told) == pytest.approx((2 / 3 + 0) / 2)
