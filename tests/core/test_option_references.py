from __future__ import annotations

import numpy as np
import pytest

from cybersecqwen.core.option_references import option_references, relettered

ABC = ("Phishing", "Vishing", "Smishing")


@pytest.mark.parametrize(
    ("last", "said"),
    [
        ("All of the above", {0, 1, 2}),
        ("D. All of the above.", {0, 1, 2}),
        ("All of these techniques", {0, 1, 2}),
        ("All of the listed options are correct", {0, 1, 2}),
        ("any of the above", {0, 1, 2}),
        ("All three", {0, 1, 2}),
        ("None of the above", set()),
        ("None of these apply", set()),
        ("None of the options is right", set()),
        ("Both A and B", {0, 1}),
        ("A and C only", {0, 2}),
        ("only b & c", {1, 2}),
        ("Options 1 and 3", {0, 2}),
        ("(a) and (c)", {0, 2}),
        ("A, B and C", {0, 1, 2}),
        ("Both Phishing and Smishing", {0, 2}),
        ("Phishing and vishing", {0, 1}),
        ("All of the above except B", {0, 2}),
        ("All but C", {0, 1}),
    ],
)
def test_an_option_says_which_others_are_true(last: str, said: set[int]) -> None:
    found = option_references((*ABC, last))
    assert found is not None
    assert found.plain == (0, 1, 2)
    assert [set(s) for s in found.sets] == [{0}, {1}, {2}, said]


@pytest.mark.parametrize(
    "choices",
    [
        ("None", "Low", "High"),  # a CVSS metric's values
        ("All users", "Administrators", "Guests"),
        ("1 and 2", "3 and 4", "5 and 6"),
        ("A", "C", "I"),
        ("22 and 80", "443", "8080"),
        ("Only administrators", "Everybody"),
        ("X", "All of the above"),  # nothing to choose among
        ("X", "Y", "A only"),  # the same as X
        ("Both A and B", "A and C only", "B and C only"),  # of statements in the question
        (*ABC, "Both A and D"),  # names itself
    ],
)
def test_options_that_only_look_so_are_plain(choices: tuple[str, ...]) -> None:
    assert option_references(choices) is None


def test_both_and_neither_of_two() -> None:
    found = option_references(("TCP", "UDP", "Both", "Neither"))
    assert found is not None
    assert [set(s) for s in found.sets] == [{0}, {1}, {0, 1}, set()]
    assert found.referring == (2, 3)


@pytest.mark.parametrize(
    ("true", "best"),
    [((0.9, 0.8, 0.9), 3), ((0.9, 0.1, 0.2), 0), ((0.1, 0.2, 0.1), 4), ((0.9, 0.2, 0.8), 5)],
)
def test_the_likeliest_set_is_the_answer(true: tuple[float, ...], best: int) -> None:
    choices = (*ABC, "All of the above", "None of the above", "Both A and C")
    found = option_references(choices)
    assert found is not None
    shares = found.probabilities(true, (0.6, 0.2, 0.2))
    assert int(shares.argmax()) == best
    assert np.isclose(shares.sum(), 1)


def test_certainty_of_all_options_leaves_finite_probabilities() -> None:
    found = option_references((*ABC, "None of the above"))
    assert found is not None
    assert np.isfinite(found.probabilities((1.0, 1.0, 0.0), (1.0, 0.0, 0.0))).all()


def test_where_nothing_is_known_what_speaks_of_others_is_as_likely_as_chance() -> None:
    found = option_references((*ABC, "None of the above"))
    assert found is not None
    assert found.probabilities(None, (0.5, 0.3, 0.2)).tolist() == pytest.approx(
        [0.375, 0.225, 0.15, 0.25]
    )


def test_letters_follow_their_options_into_another_order() -> None:
    choices = ("X", "Y", "Z", "Both A and C", "E) options (a) and (b)", "All of the above")
    moved = relettered(choices, (2, 0, 1, 3, 4, 5))
    # X is B now, Y is C and Z is A.
    assert moved == ["Z", "X", "Y", "Both A and B", "E) options (b) and (c)", "All of the above"]
    assert relettered(ABC, (2, 1, 0)) == ["Smishing", "Vishing", "Phishing"]
