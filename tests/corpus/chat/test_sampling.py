from __future__ import annotations

from collections import Counter

from cybersecqwen.core.rows import CorpusRow, labels_of
from cybersecqwen.corpus.chat.recipe import Draw
from cybersecqwen.corpus.chat.sampling import distinct, ordered
from cybersecqwen.corpus.records.recipe import NearDuplicate


def _row(number: int, cwe: str, year: int, text: str = "") -> CorpusRow:
    text = text or f"text of record {number}"
    return CorpusRow(f"CVE-{year}-{number:04d}", text, f"{year}-05-05", labels_of(nvd=(cwe,)))


def _label(row: CorpusRow) -> str:
    return row.ids("nvd")[0]


ROWS = [_row(n, "CWE-79" if n % 10 else "CWE-1236", 2015 + n % 10 // 5 * 9) for n in range(2000)]


def test_years_and_recency() -> None:
    assert {row.year for row in ordered(ROWS, Draw(years=(2024, 2024)), _label, "s")} == {2024}
    first = ordered(ROWS, Draw(half_life=3.0), _label, "s")[:300]
    recent = sum(row.year == 2024 for row in first)
    assert recent > 220  # nine years are three half-lives: one old row to eight new ones


def test_balance_brings_rare_weaknesses_forward() -> None:
    plain = Counter(map(_label, ordered(ROWS, Draw(), _label, "s")[:200]))
    even = Counter(map(_label, ordered(ROWS, Draw(balance=1.0), _label, "s")[:200]))
    assert plain["CWE-1236"] < 40
    assert 70 < even["CWE-1236"] < 130


def test_the_order_depends_on_the_seed_alone() -> None:
    one = ordered(ROWS, Draw(), _label, "s")
    assert ordered(ROWS[::-1], Draw(), _label, "s") == one
    assert ordered(ROWS, Draw(), _label, "t") != one


def test_of_near_duplicates_the_first_stays() -> None:
    words = "the lamp spills oil when a wick is longer than the field that holds it and burns"
    rows = [
        _row(1, "CWE-79", 2024, words),
        _row(2, "CWE-79", 2024, f"{words} down"),
        _row(3, "CWE-79", 2024, "an altogether different sentence about a moth that eats a shirt"),
    ]
    kept = distinct(rows, NearDuplicate(ngram=4, containment=0.9, cosine=0.9))
    assert [row.id for row in kept] == ["CVE-2024-0001", "CVE-2024-0003"]
    assert distinct([], NearDuplicate()) == []
