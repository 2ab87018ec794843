from __future__ import annotations

import msgspec
import numpy as np
import pytest

pytest.importorskip("torch")  # the room's door asks for it, though this part does without
pytest.importorskip("accelerate")
pytestmark = pytest.mark.torch

from cybersecqwen.core.errors import InputError  # noqa: E402
from cybersecqwen.core.option_references import option_references  # noqa: E402
from cybersecqwen.core.rows import QuizRow  # noqa: E402
from cybersecqwen.training.ranker.truth import (  # noqa: E402
    MeasuredTruth,
    TruthQuestion,
    fit_truth,
    score_truth,
    truth_questions,
    truth_rows,
    with_references,
)

NAMES = ("support", "noise", "support, over the best other")
ROW = QuizRow(
    id="r",
    kind="technique-platform",
    wording="plain",
    paraphrase_level=0,
    question="On which platform?",
    choices=("Windows", "Linux", "macOS", "Containers"),
    answer=1,
    page="T1",
    passage="T1",
    evidence="",
    source="s",
    version="1",
)
EXCEPTION = msgspec.structs.replace(
    ROW, id="e", kind="technique-platform-not", question="On which platform is it NOT?"
)


def test_a_question_for_the_exception_has_three_true_options_without_its_not() -> None:
    asked = list(truth_questions([EXCEPTION], 1))
    positive = [q for q in asked if "NOT" not in q.question]
    assert [q.true for q in positive if all(q.true)] == [(True, True, True)]
    assert all(("Linux" in q.choices) == (not all(q.true)) for q in positive)
    negated = [q for q in asked if "NOT" in q.question]
    assert all(dict(zip(q.choices, q.true, strict=True)).get("Linux", True) for q in negated)
    assert sum(negated[0].true) == 1


def test_any_other_question_has_one_true_option_or_none() -> None:
    counts = set()
    for seed in range(20):
        (asked,) = truth_questions([ROW], seed)
        counts.add(sum(asked.true))
        assert dict(zip(asked.choices, asked.true, strict=True)).get("Linux", True)
    assert counts == {0, 1}


@pytest.mark.parametrize(
    ("true", "says"),
    [
        ((True, True, True), "All of the above"),
        ((False, False, False), "None of the above"),
        ((True, False, True), "Both A and C"),
        ((False, True, False), "y"),
    ],
)
def test_the_right_option_says_what_is_true(true: tuple[bool, ...], says: str) -> None:
    offered = with_references(TruthQuestion("Which?", ("x", "y", "z"), true), 3)
    assert offered is not None
    choices, references, answer = offered
    assert len(choices) == 5
    assert choices[answer] == says
    assert option_references(choices) == references


def test_what_no_option_can_say_is_left_out() -> None:
    assert (
        with_references(TruthQuestion("Which?", tuple("wxyz"), (True,) * 3 + (False,)), 3) is None
    )


def test_truth_is_learnt_from_what_an_option_is_measured_by() -> None:
    draw = np.random.default_rng(4)
    found = []
    for number in range(200):
        true = tuple(bool(t) for t in draw.random(3) < (0.5 if number % 2 else 0.9))
        inputs = draw.normal(size=(3, 3)).astype(np.float32)
        inputs[:, 0] += 3 * np.array(true)
        question = TruthQuestion(f"Which {number}?", ("x", "y", "z"), true)
        found.append((question, MeasuredTruth(inputs, np.zeros(3), true)))
    truth = fit_truth([measured for _, measured in found[:150]], NAMES)
    assert set(truth.weights) == {"support", "noise"}
    score = score_truth(truth, found[150:], NAMES, 1)
    assert score.accuracy > 0.6  # one in five by chance
    assert "all" in score.by_answer


def test_options_that_are_all_true_teach_nothing() -> None:
    measured = MeasuredTruth(np.zeros((3, 3), np.float32), np.zeros(3), (True, True, True))
    with pytest.raises(InputError, match="too few"):
        fit_truth([measured], NAMES)


def test_exceptions_come_first_and_are_half_at_most() -> None:
    rows = [ROW, ROW, ROW, EXCEPTION, EXCEPTION, EXCEPTION]
    assert [row.kind for row in truth_rows(rows, 4)] == [EXCEPTION.kind] * 2 + [ROW.kind] * 2
