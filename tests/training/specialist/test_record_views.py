"""Views of records that are as of a year."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("accelerate")
pytestmark = pytest.mark.torch

from tokenizers import Tokenizer  # noqa: E402

from cybersecqwen.core.rows import CorpusRow, labels_of  # noqa: E402
from cybersecqwen.core.text.record import PARTS  # noqa: E402
from cybersecqwen.training.recipes.specialist import (  # noqa: E402
    Fit,
    SpecialistRecipe,
    SpecialistTeacher,
    Views,
    Years,
)
from cybersecqwen.training.specialist.fit import _taught  # noqa: E402
from cybersecqwen.training.specialist.record_views import PartTokens, When  # noqa: E402
from cybersecqwen.training.specialist.supervision import SoftLabels  # noqa: E402
from cybersecqwen.training.specialist.vocabulary import prune  # noqa: E402
from cybersecqwen.training.specialist.weakness import added_words, tokenize_rows  # noqa: E402

YEARS = Years(first=2019, last=2022, assumed=2021)
ROWS = [
    CorpusRow(f"CVE-{year}-1000", text, f"{year}-01-02", labels_of(nvd=("CWE-89",)))
    for year, text in ((2001, "A double-free."), (2020, "query"), (2024, "query"))
]
NOTHING = np.zeros(len(PARTS), bool)


@pytest.fixture(scope="module")
def tokenizer(base_folder: Path) -> Tokenizer:
    whole = Tokenizer.from_file(str(base_folder / "tokenizer.json"))
    return prune(whole, ["query"], 0, added_words(["CWE-89"], YEARS))[0]


@pytest.fixture(scope="module")
def parts(tokenizer: Tokenizer) -> PartTokens:
    return tokenize_rows(tokenizer, ROWS, ["never used"], 32, YEARS, ["double free"])


def test_a_view_is_as_of_the_assumed_year_or_the_nearest_to_its_own(
    tokenizer: Tokenizer, parts: PartTokens
) -> None:
    def year(row: int, when: When) -> str | None:
        return tokenizer.id_to_token(int(parts.show(row, NOTHING, when=when)[1]))

    assert [year(row, "assumed") for row in range(3)] == ["year2021"] * 3
    assert [year(row, "own") for row in range(3)] == ["year2019", "year2020", "year2022"]
    assert [year(row, "unsaid") for row in range(3)] == ["year2021", "query", "query"]
    assert parts.years is not None
    assert parts.years.recent.tolist() == [True, True, True]
    early = tokenize_rows(tokenizer, ROWS, [], 32, Years(first=2000, last=2022, assumed=2021))
    assert early.years is not None
    assert early.years.recent.tolist() == [False, True, True]


def test_years_are_drawn_as_often_as_asked(tokenizer: Tokenizer, parts: PartTokens) -> None:
    draw = np.random.default_rng(1)
    odds = Views(year=0.3, assumed=0.4, padded=0, empty=0)
    views = [parts.draw(1, odds, draw, PARTS.index("cwe")) for _ in range(600)]
    assert abs(np.mean([view.assumed for view in views]) - 0.4) < 0.06
    words = [tokenizer.id_to_token(int(view.tokens[1])) for view in views]
    assert abs(np.mean([word == "year2020" for word in words]) - 0.3) < 0.06
    assert all(
        (word == "year2021") == view.assumed for word, view in zip(words, views, strict=True)
    )
    plain = tokenize_rows(tokenizer, ROWS, [], 32)
    assert not any(plain.draw(1, odds, draw, 5).assumed for _ in range(20))


def test_old_rows_are_taught_by_who_knows_their_year() -> None:
    fit = Fit(epochs=1, batch_size=1, learning_rate=1e-3)
    teachers = (
        SpecialistTeacher("plain", fit),
        SpecialistTeacher("dated", fit, views=Views(year=0.5, padded=0, empty=0), weight=3.0),
    )
    years = Years(first=2000, last=2024, assumed=2021)
    recipe = SpecialistRecipe("tiny", fit, teachers=teachers, years=years)

    def sure_of(label: int) -> SoftLabels:
        ids = np.full((3, 3, 2), label, np.int16)
        ids[..., 1] = 1 - label
        shares = np.zeros((3, 3, 2), np.float16)
        shares[..., 0] = 1
        return SoftLabels(ids, shares)

    own, assumed = _taught([sure_of(0), sure_of(1)], recipe, ROWS, 2)
    assert own is not None
    assert assumed is not None

    def share_of_first(soft: SoftLabels, row: int) -> float:
        return float(soft.probabilities[row, 0][soft.ids[row, 0] == 0].sum())

    assert share_of_first(own, 0) == 1
    assert share_of_first(assumed, 0) == 0
    assert share_of_first(own, 2) == share_of_first(assumed, 2) == pytest.approx(0.25)
