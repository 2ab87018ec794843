from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from cybersecqwen.core.technique_rows import OpeningRow, ReportRow, TechniqueEntry, TechniqueRow  # noqa: E402
from cybersecqwen.training.recipes.specialist import Fit  # noqa: E402
from cybersecqwen.training.recipes.technique import TechniqueRecipe  # noqa: E402
from cybersecqwen.training.specialist.technique_corpus import TechniqueCorpus  # noqa: E402
from cybersecqwen.training.specialist.technique_lessons import TechniqueLessons  # noqa: E402

FACTS = (
    "logs keystrokes",
    "takes screenshots",
    "deletes its files",
    "runs at logon",
    "asks a host",
)
NAMES = ("T1", "T2", "T2.001", "T3")


@pytest.fixture
def lessons() -> TechniqueLessons:
    return lessons_of(padded=0.0)


def lessons_of(padded: float) -> TechniqueLessons:
    techniques = [TechniqueEntry(name, f"Name {name}", "Text.") for name in NAMES]
    train = [
        TechniqueRow(f"{{actor}} {fact}.", NAMES[n % 4], "procedure", "S1")
        for n, fact in enumerate(FACTS)
    ]
    train.append(TechniqueRow("Somebody was seen.", "T3", "scenario", "T3"))
    told = [ReportRow("It logs and takes.", ("T1", "T2.001"), "S1", ("T3",))]
    openings = [OpeningRow("Moth is a moth.", "Moth", "S1")]
    corpus = TechniqueCorpus(techniques, train, [], [], [], told, openings)
    recipe = TechniqueRecipe(
        "tiny", Fit(1, 8, 1e-3), joined=0.3, condensed=0.3, paragraphs=0.4, padded=padded
    )
    return TechniqueLessons(corpus, recipe)


def test_lessons_beyond_the_rows_are_reports_on_a_page(lessons: TechniqueLessons) -> None:
    assert len(lessons.places) == 8
    assert len(lessons.lengths) == 8 + 2
    made = [lessons.draw(8, np.random.default_rng(seed)) for seed in range(40)]
    opened = [one.text.startswith("Moth is a moth.") for one in made]
    assert 20 < sum(opened) < 40
    assert all(4 <= len(one.rows) <= 5 and "{actor}" not in one.text for one in made)
    assert any("Moth logs" in one.text or "Moth takes" in one.text for one in made)
    for one in made:
        assert all(FACTS[row].split()[0] in one.text for row in one.rows)


def test_a_scenario_is_shown_alone_and_sentences_in_company(lessons: TechniqueLessons) -> None:
    drawn = [lessons.draw(5, np.random.default_rng(seed)).rows for seed in range(20)]
    assert drawn == [[5]] * 20
    sizes = {len(lessons.draw(0, np.random.default_rng(seed)).rows) for seed in range(60)}
    assert sizes == {1, 2, 3, 4}


def test_a_padded_lesson_tells_the_same_among_other_words() -> None:
    lessons = lessons_of(padded=1.0)
    drawn = [lessons.draw(5, np.random.default_rng(seed)) for seed in range(20)]
    assert all(one.rows == [5] and len(one.text) > 30 for one in drawn)
    first = [one.text.startswith("Somebody was seen. ") for one in drawn]
    assert 2 < sum(first) < 15
    last = [one.text.endswith(" Somebody was seen.") for one in drawn]
    assert sum(first) + sum(last) == 20


def test_what_rows_tell(lessons: TechniqueLessons) -> None:
    labels, told, known = lessons.targets([0, 2])
    assert labels.tolist() == [0.5, 0, 0.5, 0]
    assert (told.tolist(), known.tolist()) == ([1, 1, 0], [1, 1, 1])
    labels, told, known = lessons.targets([6])
    assert labels.tolist() == [0.5, 0, 0.5, 0]
    assert (told.tolist(), known.tolist()) == ([1, 1, 0], [1, 1, 0])
    labels, told, known = lessons.targets([7])  # an opening
    assert labels.tolist() == [0.25] * 4
    assert (told.tolist(), known.tolist()) == ([0, 0, 0], [1, 1, 1])
