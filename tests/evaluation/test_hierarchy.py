from __future__ import annotations

import pytest

from cybersecqwen.core.taxonomy import Taxonomy, Weakness, shipped_taxonomy
from cybersecqwen.evaluation.hierarchy import hierarchical_f1, judge, relation


def weakness(number: int, *parents: int, usage: str = "allowed", kind: str = "base") -> Weakness:
    return Weakness(
        f"CWE-{number}", f"name {number}", kind, usage, tuple(f"CWE-{n}" for n in parents)
    )


@pytest.fixture
def tree() -> Taxonomy:
    """1 -> 2 -> 3 and 1 -> 4; 5 alone; 9 a category."""
    entries = [
        weakness(1, usage="discouraged", kind="pillar"),
        weakness(2, 1, usage="discouraged"),
        weakness(3, 2),
        weakness(4, 1),
        weakness(5),
        weakness(9, usage="prohibited", kind="category"),
    ]
    return Taxonomy(entries, "test", "2026-01-01")


@pytest.mark.parametrize(
    ("answer", "gold", "expected"),
    [
        ("CWE-3", "CWE-3", "exact"),
        ("CWE-2", "CWE-3", "parent"),
        ("CWE-3", "CWE-2", "child"),
        ("CWE-1", "CWE-3", "shared ancestor"),
        ("CWE-4", "CWE-3", "shared ancestor"),
        ("CWE-5", "CWE-3", "unrelated"),
        ("CWE-777777", "CWE-3", "unrelated"),
        (None, "CWE-3", "unreadable"),
    ],
)
def test_relations(tree: Taxonomy, answer: str | None, gold: str, expected: str) -> None:
    assert relation(answer, gold, tree) == expected


def test_graded_score_by_hand(tree: Taxonomy) -> None:
    # {2, 1} against {3, 2, 1}: precision 1, recall 2/3.
    assert hierarchical_f1("CWE-2", "CWE-3", tree) == pytest.approx(0.8)
    assert hierarchical_f1("CWE-4", "CWE-3", tree) == pytest.approx(0.4)
    assert hierarchical_f1("CWE-5", "CWE-3", tree) == 0
    assert hierarchical_f1(None, "CWE-3", tree) == 0


def test_shares_add_up_and_unfit_answers_are_counted(tree: Taxonomy) -> None:
    pairs = [
        ("CWE-3", "CWE-3"),
        ("CWE-2", "CWE-3"),
        ("CWE-9", "CWE-3"),
        (None, "CWE-3"),
    ]
    judged = judge(pairs, tree)
    assert sum(judged.relations.values()) == pytest.approx(1)
    assert judged.within_one == 0.5
    assert judged.f1 == pytest.approx(1.8 / 4)
    # Of the three that could be read.
    assert judged.discouraged == pytest.approx(1 / 3)
    assert judged.prohibited == pytest.approx(1 / 3)


def test_the_shipped_catalogue_knows_the_usual_pairs() -> None:
    catalogue = shipped_taxonomy()
    assert relation("CWE-121", "CWE-787", catalogue) == "child"
    assert relation("CWE-20", "CWE-79", catalogue) != "exact"
    assert judge([("CWE-264", "CWE-79")], catalogue).prohibited == 1
