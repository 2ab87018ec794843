from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from cybersecqwen.core.technique_rows import ReportRow, TechniqueEntry, TechniqueRow  # noqa: E402
from cybersecqwen.training.specialist.report_reading import (  # noqa: E402
    fit_report_reading,
    mean_f1,
)
from cybersecqwen.training.specialist.scenario_reading import (  # noqa: E402
    fit_scenario_reading,
    held_out_scenarios,
)
from cybersecqwen.training.specialist.technique_corpus import TechniqueCorpus  # noqa: E402


class Reader:
    """A report is said to tell what stands in it, and by sentence one technique more."""

    def report_odds(self, text: str) -> np.ndarray:
        odds = np.full((4, 4), -3.0)
        for place, name in enumerate(("T1", "T2", "T3", "T4")):
            if name in text:
                odds[place, :2] = (-1.0, 2.0)
        odds[len(text) % 4, 0] += 4  # the sentence alone says nothing
        return odds

    def scenario_terms(self, text: str) -> tuple[np.ndarray, np.ndarray]:
        """The words tell the technique, the network the other ones."""
        words = np.array([float(name in text) for name in ("T1", "T2", "T3", "T4")])
        return -2 * words, words


def test_the_clause_weighs_where_it_alone_tells() -> None:
    named = [("T1",), ("T2.001", "T3"), ("T4", "T1"), ("T3",), ("T2",), ("T4",), ("T1", "T3")]
    reports = [
        ReportRow(" ".join(names) + " " * number, names, f"S{number}")
        for number, names in enumerate(named * 3)
    ]
    reading, score = fit_report_reading(Reader(), ("T1", "T2", "T2.001", "T3", "T4"), reports)
    assert reading.clause > abs(reading.sentence)
    assert score > 0.95
    assert 0.1 <= reading.threshold <= 0.6


def test_the_mean_f1_of_sets() -> None:
    told = np.array([[True, True, False], [False, False, True]])
    said = np.array([[True, False, False], [False, True, False]])
    assert mean_f1(said, told) == pytest.approx((2 / 3 + 0) / 2)


def test_the_words_weigh_where_they_tell_the_technique() -> None:
    scenarios = [(f"scenario {n} of T{n % 4 + 1}", f"T{n % 4 + 1}") for n in range(40)]
    config = {"techniques": ["T1", "T2", "T3", "T4"], "examples": [5, 5, 5, 5]}
    reading, results = fit_scenario_reading(Reader(), scenarios, config)
    assert reading.words > 2
    assert results["top1"] == 1.0
    assert results["rows"] == 40


def test_held_out_sentences_on_one_technique_make_a_scenario() -> None:
    rows = [TechniqueRow(f"Row {n}", f"T{n % 2}", "procedure", f"S{n}") for n in range(10)]
    techniques = [TechniqueEntry(f"T{n}", "Name", "Text.") for n in range(2)]
    corpus = TechniqueCorpus(techniques, [], rows, [], [], [], [])
    made = held_out_scenarios(corpus)
    assert [technique for _, technique in made] == ["T0", "T0", "T1", "T1"]
    assert "Row 0. Row 2. Row 4." in [text for text, _ in made]
