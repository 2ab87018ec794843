from __future__ import annotations

import numpy as np
import pytest

from cybersecqwen.core.taxonomy import Taxonomy, Weakness, shipped_taxonomy
from cybersecqwen.specialists.backoff import Backoff


def entry(number: int, *parents: int, kind: str = "base", in_1003: bool = False) -> Weakness:
    return Weakness(
        id=f"CWE-{number}",
        name=f"weakness {number}",
        kind=kind,
        usage="prohibited" if kind == "category" else "allowed",
        parents=tuple(f"CWE-{parent}" for parent in parents),
        in_1003=in_1003,
    )


TREE = Taxonomy(
    [
        entry(1, kind="pillar", in_1003=True),
        entry(2, 1, kind="class", in_1003=True),
        entry(3, 2, kind="class"),
        entry(4, 3, in_1003=True),
        entry(5, 3),
        entry(6, 2),
        entry(7, 1, kind="class"),
        entry(8, 7),
        entry(9, 7),
        entry(10, kind="category"),
    ],
    "0",
    "2026-01-01",
)
LABELS = ("CWE-4", "CWE-5", "CWE-6", "CWE-8", "CWE-9")


def find(*probabilities: float, threshold: float = 0.5) -> tuple[str, float] | None:
    (found,) = Backoff(LABELS, TREE).find(np.array([probabilities]), threshold)
    return (found.cwe, round(found.probability, 6)) if found else None


def test_members_of_view_1003_come_before_deeper_ancestors() -> None:
    # CWE-3 is deeper and sure enough, but CWE-2 is what NVD would use.
    assert find(0.4, 0.4, 0.1, 0.05, 0.05) == ("CWE-2", 0.9)


def test_outside_view_1003_where_nothing_inside_is_sure() -> None:
    assert find(0.1, 0.1, 0.1, 0.35, 0.35) == ("CWE-7", 0.7)


def test_no_pillar_however_sure() -> None:
    assert find(0.2, 0.1, 0.1, 0.3, 0.3, threshold=0.7) is None


def test_a_label_that_is_sure_enough_with_its_descendants() -> None:
    labels = ("CWE-3", "CWE-4", "CWE-8")
    (found,) = Backoff(labels, TREE).find(np.array([[0.3, 0.3, 0.4]]), 0.55)
    assert found is not None
    assert (found.cwe, round(found.probability, 6)) == ("CWE-2", 0.6)


def test_likelier_wins_between_equals() -> None:
    # A low threshold, which two labels at one depth both reach.
    assert find(0.0, 0.0, 0.0, 0.45, 0.55, threshold=0.4) == ("CWE-9", 0.55)


def test_a_batch_is_answered_row_by_row() -> None:
    rows = np.array([[0.4, 0.4, 0.2, 0.0, 0.0], [0.2, 0.2, 0.0, 0.3, 0.3], [0, 0, 0, 0.5, 0.5]])
    found = Backoff(LABELS, TREE).find(rows, 0.7)
    assert [c.cwe if c else None for c in found] == ["CWE-2", None, "CWE-7"]


@pytest.mark.parametrize("top", ["CWE-787", "CWE-89"])
def test_real_catalogue_never_gives_a_pillar_a_category_or_a_prohibited_id(top: str) -> None:
    taxonomy = shipped_taxonomy()
    labels = [e.id for e in taxonomy if e.kind != "view" and not e.deprecated]
    rng = np.random.default_rng(0)
    rows = rng.dirichlet(np.full(len(labels), 0.01), size=200)
    rows[:, labels.index(top)] += 0.6
    rows /= rows.sum(axis=1, keepdims=True)
    answers = [c for c in Backoff(labels, taxonomy).find(rows, 0.4) if c]
    assert answers
    for answer in answers:
        found = taxonomy.get(answer.cwe)
        assert found is not None
        assert found.kind not in {"pillar", "category", "view"}
        assert found.usage != "prohibited"
        assert 0.4 <= answer.probability <= 1
