"""Names of the catalogue that settle what an old text is as of today."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from cybersecqwen.core.taxonomy import shipped_taxonomy  # noqa: E402
from cybersecqwen.training.specialist.rows import NO_LABEL  # noqa: E402
from cybersecqwen.training.specialist.settling_names import (  # noqa: E402
    SettledRows,
    catalogue_names,
    settle,
    settled_rows,
)
from cybersecqwen.training.specialist.supervision import SoftLabels  # noqa: E402

NAMES = {"stack based buffer overflow": "CWE-121", "double free": "CWE-415"}
OLD = [
    "Stack-based buffer overflow in httpd allows remote attackers to execute code.",
    "Multiple stack-based buffer overflows in httpd.",
    "A double free and a stack-based buffer overflow.",
    "An overflow of another kind.",
    "A stack-based buffer overflow, already called so.",
]


@pytest.fixture(scope="module")
def settled() -> SettledRows:
    texts = [*OLD, *["A stack-based buffer overflow was found."] * 24, *["A double free."] * 3]
    labels = np.full((len(texts), 2), NO_LABEL, np.int64)
    labels[:3, 0] = 2  # what it was called long ago
    labels[4, 0] = 1
    labels[5:27, 0] = 1
    labels[27:29, 0] = 3
    recent = np.arange(len(texts)) >= len(OLD)
    return settled_rows(texts, labels, recent, NAMES, 4)


def test_the_catalogues_names_are_read_with_their_common_names() -> None:
    names = catalogue_names(shipped_taxonomy())
    wanted = {
        "stack based buffer overflow": "CWE-121",
        "integer overflow": "CWE-190",
        "race condition": "CWE-362",
        "double free": "CWE-415",
        "use after free": "CWE-416",
        "sql injection": "CWE-89",
    }
    assert {name: names[name] for name in wanted} == wanted
    assert all(" " in name for name in names)


def test_one_name_that_recent_rows_agree_on_settles_an_old_row(settled: SettledRows) -> None:
    # The second name of row 2 is too rare to settle anything; recent rows still use row 4's label.
    assert settled.rows[settled.asked.any(1)].tolist() == [0, 1, 2]
    assert settled.asked[:, 1].tolist() == [False] * len(settled.rows)  # no labels, no answer
    assert settled.told[0, 0].tolist() == pytest.approx([0, 22 / 24, 0, 2 / 24])


def test_a_settled_row_is_taught_what_recent_rows_are_called(settled: SettledRows) -> None:
    count = len(OLD) + 27
    ids = np.tile(np.array([2, 0], np.int16), (count, 2, 1))
    shares = np.tile(np.array([0.9, 0.1], np.float16), (count, 2, 1))
    mixed = settle(SoftLabels(ids, shares), settled, 0.7)

    def share(row: int, labeller: int, label: int) -> float:
        place = mixed.ids[row, labeller] == label
        return float(mixed.probabilities[row, labeller][place].sum())

    assert share(0, 0, 1) == pytest.approx(0.7 * 22 / 24 / (0.7 * 22 / 24 + 0.27), abs=0.01)
    assert share(0, 1, 2) == pytest.approx(0.9, abs=0.01)
    assert share(3, 0, 2) == pytest.approx(0.9, abs=0.01)
    assert share(4, 0, 2) == pytest.approx(0.9, abs=0.01)
