from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from cybersecqwen.core.errors import InputError
from cybersecqwen.evaluation.actors import load_actors
from cybersecqwen.evaluation.log import Released, RunLog
from cybersecqwen.evaluation.scoring import available_readings, is_correct, score

MakeLog = Callable[..., RunLog]


def with_rows(log: RunLog, **changes: object) -> RunLog:
    rows = [msgspec.structs.replace(row, **changes) for row in log.rows]
    return RunLog(log.path, log.header, rows)


def test_what_cannot_be_read_is_wrong_not_left_out(make_log: MakeLog) -> None:
    scored = score(make_log(["CWE-79", None, "CWE-20"], ["CWE-79", "CWE-79", "CWE-79"]))
    assert scored.correct == [True, False, False]


def test_trials_stand_in_columns(make_log: MakeLog) -> None:
    log = make_log(["CWE-79", "CWE-20"], ["CWE-79", "CWE-89"], ["CWE-79", "CWE-89"])
    scored = score(log)
    assert scored.matrix().tolist() == [[1, 1], [0, 1]]
    assert [row.id for row in scored.items()] == ["item-0", "item-1"]


def test_an_unfinished_trial_waits(make_log: MakeLog) -> None:
    log = make_log(["CWE-79", "CWE-20"], ["CWE-79", "CWE-89"], ["CWE-79", "CWE-89"])
    cut = RunLog(log.path, log.header, log.rows[:3])
    assert score(cut).matrix().shape == (2, 1)
    assert score(RunLog(log.path, log.header, log.rows[:1])).matrix().shape == (1, 1)
    with pytest.raises(InputError, match="no answer"):
        score(RunLog(log.path, log.header, []))
    with pytest.raises(InputError, match="same items in the same order"):
        score(RunLog(log.path, log.header, [*log.rows[:2], log.rows[3], log.rows[2]]))


def test_saved_text_is_read_again_by_any_protocol(make_log: MakeLog) -> None:
    log = with_rows(make_log(["CWE-79"], ["CWE-79"]), output="CWE-20? No: CWE-79")
    assert score(log, "ref").readings == ["CWE-79"]
    assert score(log, "faith").readings == [None]
    assert score(log, "saved").readings == ["CWE-79"]


def test_released_readings_and_where_they_are_better(make_log: MakeLog) -> None:
    log = make_log([None, None], ["CWE-79", "CWE-79"])
    with pytest.raises(InputError, match="item-0 has no released reading"):
        score(log, "released")
    log = with_rows(log, released=Released("CWE-79", True))
    rows = [msgspec.structs.replace(log.rows[0], cut=True), log.rows[1]]
    log = RunLog(log.path, log.header, rows)
    assert score(log, "released").correct == [True, True]
    assert score(log, "best").correct == [True, False]
    assert available_readings(log) == ["saved", "released", "ref", "faith", "paper-2025"]


def test_duplicates_are_dropped_by_the_reader_that_drops_them(make_log: MakeLog) -> None:
    log = make_log(["CWE-79"] * 2, ["CWE-79"] * 2)
    rows = [msgspec.structs.replace(log.rows[0], id="rcm-0243"), log.rows[1]]
    log = RunLog(log.path, log.header, rows)
    assert len(score(log, "ref").rows) == 2
    assert len(score(log, "faith").rows) == 1


def test_each_kind_is_right_in_its_own_way() -> None:
    actors = load_actors()
    assert is_correct("techniques", "T1059,T1071", "T1059,T1071", actors)
    assert not is_correct("techniques", "T1059", "T1059,T1071", actors)
    high, same = "AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
    assert is_correct("cvss", high, same, actors)
    assert not is_correct("cvss", high, high.replace("AV:N", "AV:P"), actors)
    assert is_correct("actor", "Cozy Bear", "APT29", actors)
    assert not is_correct("choice", None, "A", actors)
