from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from cybersecqwen.core.errors import InputError
from cybersecqwen.evaluation.compare import compare_logs, unique_names
from cybersecqwen.evaluation.log import RunLog

MakeLog = Callable[..., RunLog]
GOLD = ["A"] * 40


def test_pairs_are_tested_on_shared_items_and_corrected(make_log: MakeLog) -> None:
    good = make_log(["A"] * 40, GOLD, task="cti-mcq", model="good")
    fair = make_log(["A"] * 25 + ["B"] * 15, GOLD, task="cti-mcq", model="fair")
    poor = make_log(["B"] * 30 + ["A"] * 5 + [None] * 5, GOLD, task="cti-mcq", model="poor")
    short = RunLog(poor.path, poor.header, poor.rows[:35])
    found = compare_logs([good, fair, short])
    assert (found.task, found.n, found.left_out) == ("cti-mcq", 35, 5)
    assert [(system.name, system.accuracy) for system in found.systems] == [
        ("good", 1.0),
        ("fair", pytest.approx(25 / 35)),
        ("poor", pytest.approx(5 / 35)),
    ]
    first = found.pairs[0].test
    assert (found.pairs[0].a, found.pairs[0].b) == ("good", "fair")
    assert (first.only_a, first.only_b) == (10, 0)
    assert first.p_mcnemar == pytest.approx(2 * 0.5**10)
    assert first.p_holm is not None
    assert first.p_holm >= first.p_mcnemar
    assert compare_logs([good, fair]).pairs[0].test.p_holm is None
    named = [(pair.a, pair.b) for pair in compare_logs([good, fair, short], first_only=True).pairs]
    assert named == [("good", "fair"), ("good", "poor")]


def test_pages_are_found_in_whichever_log_has_them(make_log: MakeLog) -> None:
    pages = [f"page {place // 10}" for place in range(40)]
    right = ["A"] * 10 + ["B"] * 10 + ["A"] * 10 + ["B"] * 10
    with_pages = make_log(right, GOLD, task="cti-mcq", model="a", sources=pages)
    without = make_log(right[::-1], GOLD, task="cti-mcq", model="b")
    paged = compare_logs([with_pages, without]).systems[0].ci95
    alone = compare_logs([make_log(right, GOLD, task="cti-mcq", model="a"), without])
    assert (
        paged.high - paged.low > 2 * (alone.systems[0].ci95.high - alone.systems[0].ci95.low)
        or paged.high - paged.low > 0.9
    )


def test_logs_that_cannot_be_compared_say_why(make_log: MakeLog) -> None:
    one = make_log(["A"], ["A"], task="cti-mcq", model="one")
    with pytest.raises(InputError, match="two logs"):
        compare_logs([one])
    with pytest.raises(InputError, match="different tasks: cti-mcq, cti-rcm"):
        compare_logs([one, make_log(["CWE-79"], ["CWE-79"], model="two")])
    other = make_log(["A"], ["B"], task="cti-mcq", model="other")
    with pytest.raises(InputError, match="item-0 expects B, in another log A"):
        compare_logs([one, other])
    moved = RunLog(other.path, other.header, [msgspec.structs.replace(other.rows[0], id="x")])
    with pytest.raises(InputError, match="no item in common"):
        compare_logs([one, moved])


def test_names_are_told_apart(make_log: MakeLog) -> None:
    log = make_log(["A"], ["A"], task="cti-mcq", model="m")
    other = make_log(["A"], ["A"], task="cti-mcq", model="n")
    assert unique_names([log, other]) == ["m", "n"]
    assert unique_names([log, log]) == ["m (ref, m-cti-mcq) #1", "m (ref, m-cti-mcq) #2"]
