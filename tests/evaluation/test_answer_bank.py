from __future__ import annotations

import pytest

from cybersecqwen.core.records import Answer
from cybersecqwen.evaluation.answer_bank import (
    BankQuestion,
    holds,
    load_questions,
    measure,
    read_bank,
    verdict,
)

WHO = BankQuestion(
    "who uses it", "uses", must=("S1",), never=("G9",), total=3, some=("G0001", "G0002")
)


def test_the_bank_is_large_odd_in_a_third_and_unanswerable_in_a_tenth() -> None:
    bank = read_bank()
    assert len(bank) >= 300
    assert len({(q.question, q.before) for q in bank}) == len(bank)
    assert sum(q.odd for q in bank) >= 0.3 * len(bank)
    assert 0.08 <= sum(q.refuse for q in bank) / len(bank) <= 0.12
    halves = [len(read_bank(half="first")), len(read_bank(half="last"))]
    assert sum(halves) == len(bank)
    assert min(halves) > 0.4 * len(bank)
    assert all(q.refuse or q.must or q.any for q in bank)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3 groups use it. [S1#relation-1] Groups: A (G0001).", "well"),
        ("A (G0001); B (G0002); C (G0003) use it. [S1]", "well"),
        ("A (G0001) uses it. [S1]", "clumsy"),
        ("It is a tool. [S1]", "clumsy"),
        ("3 groups use it: A (G0001). [S2]", "wrong"),
        ("3 groups use it: A (G0001). [S1][G9]", "wrong"),
        ("Not in the knowledge base.", "refused"),
    ],
)
def test_an_answer_is_judged_by_what_it_cites_and_lists(text: str, expected: str) -> None:
    assert verdict(WHO, text) == expected


def test_a_part_that_must_not_be_cited_and_words_that_must_be_said() -> None:
    stop = BankQuestion("stop it", "mitigation", any=("T1",), never_part=("procedure",))
    assert verdict(stop, "Lock it. [T1#mitigation-M1]") == "well"
    assert verdict(stop, "X did it. [T1#procedure-G1]") == "wrong"
    ok = BankQuestion("ok?", "mapping", must=("CWE-20",), says=("Discouraged",))
    assert verdict(ok, "It is Discouraged. [CWE-20#mapping-1]") == "well"
    assert verdict(ok, "It is fine. [CWE-20#mapping-1]") == "clumsy"


def test_an_unanswerable_question_is_right_only_when_refused() -> None:
    moon = BankQuestion("which moon", "unanswerable", refuse=True)
    assert verdict(moon, "Not in the knowledge base. Nearest pages: T1.") == "well"
    assert verdict(moon, "Full moon. [T1]") == "wrong"


def test_shares_add_up_and_misses_are_named() -> None:
    score = measure(lambda question, before: Answer("3: G0001 [S1]"), [WHO])
    assert (score.well, score.missed) == (1.0, [])
    score = measure(lambda question, before: Answer("Not in the knowledge base."), [WHO])
    assert (score.refused, score.well) == (1.0, 0.0)
    assert score.missed == ["refused: who uses it (uses)"]


def test_the_task_carries_its_rubric() -> None:
    question = next(q for q in load_questions() if q.text == "What is CWE-79?")
    assert holds(question.gold, "Cross-site scripting. [CWE-79]")
    assert not holds(question.gold, "Cross-site scripting.")
