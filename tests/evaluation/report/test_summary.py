from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from cybersecqwen.evaluation.log import RunLog
from cybersecqwen.evaluation.report.summary import summarise
from cybersecqwen.evaluation.scoring import score

MakeLog = Callable[..., RunLog]
HIGH = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"  # 9.8
LOW = "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N"  # 6.1


def test_weaknesses(make_log: MakeLog) -> None:
    golds = ["CWE-79", "CWE-79", "CWE-89", "CWE-787"]
    log = make_log(["CWE-79", None, "CWE-79", "CWE-121"], golds, confidence=[0.9, 0.2, 0.6, 0.3])
    summary = summarise(score(log))
    assert summary.accuracy == 0.25
    assert (summary.parse_failures, summary.parse_failure_rate) == (1, 0.25)
    assert summary.ci95.low <= 0.25 <= summary.ci95.high
    assert summary.wilson95 is not None
    assert summary.hierarchy is not None
    assert summary.hierarchy.relations["child"] == 0.25
    by_id = {entry.id: entry for entry in summary.per_class}
    assert (by_id["CWE-79"].n, by_id["CWE-79"].recall, by_id["CWE-79"].precision) == (2, 0.5, 0.5)
    assert by_id["CWE-89"].precision is None
    assert summary.per_class_f1 == pytest.approx(0.5 / 3)
    assert summary.accuracy_by_coverage["0.5"] == 0.5
    assert summary.accuracy_by_coverage["1.0"] == 0.25
    assert {(c.gold, c.answer) for c in summary.confusions} == {
        ("CWE-79", None),
        ("CWE-89", "CWE-79"),
        ("CWE-787", "CWE-121"),
    }
    # Three of four answered: 0.9 right; 0.6 and 0.3 wrong.
    assert summary.accuracy_at_70_coverage == pytest.approx(1 / 3)
    assert summary.ece is not None
    assert summary.top5 is None


def test_confidence_is_summed_up_only_where_every_answer_has_one(make_log: MakeLog) -> None:
    summary = summarise(score(make_log(["CWE-79"], ["CWE-79"])))
    assert summary.ece is None
    assert b'"ece"' not in msgspec.json.encode(summary)


def test_trials_widen_nothing_but_are_shown(make_log: MakeLog) -> None:
    log = make_log(["A", "B", "C"], ["A", "A", "C"], ["A", "A", "D"], task="cti-mcq")
    summary = summarise(score(log))
    assert summary.trials == 2
    assert summary.accuracy == pytest.approx(2 / 3)
    assert summary.trial_accuracies == pytest.approx([2 / 3, 2 / 3])
    assert summary.spread.unstable == pytest.approx(2 / 3)
    assert summary.wilson95 is None


def test_vectors(make_log: MakeLog) -> None:
    summary = summarise(score(make_log([HIGH, LOW, None], [HIGH, HIGH, HIGH], task="cti-vsp")))
    assert summary.accuracy == pytest.approx(1 / 3)
    assert summary.mad == pytest.approx((0 + 3.7 + 10) / 3)
    assert summary.mad_readable == pytest.approx(3.7 / 2)


def test_techniques(make_log: MakeLog) -> None:
    readings = ["T1059,T1071", None]
    golds = ["T1059", "T1105,T1083"]
    summary = summarise(score(make_log(readings, golds, task="cti-ate")))
    assert summary.micro_f1 == pytest.approx(2 * 1 / (2 + 3))
    assert summary.macro_f1 == pytest.approx((2 / 3 + 0) / 2)
    assert summary.accuracy == 0


def test_actors(make_log: MakeLog) -> None:
    log = make_log(["Cozy Bear", "Turla", "APT41"], ["APT29"] * 3, task="cti-taa")
    summary = summarise(score(log))
    assert summary.accuracy == pytest.approx(1 / 3)
    assert summary.plausible == pytest.approx(2 / 3)


def test_abstention_and_backing_off(make_log: MakeLog) -> None:
    log = make_log(
        ["CWE-79", "CWE-89", "CWE-20", "CWE-20"], ["CWE-79", "CWE-79", "CWE-79", "CWE-121"]
    )
    changes: list[dict[str, object]] = [
        {},
        {"abstained": True},
        {"abstained": True, "backoff": "CWE-707"},
        {"abstained": True, "backoff": "CWE-707"},
    ]
    rows = [
        msgspec.structs.replace(row, **change)
        for row, change in zip(log.rows, changes, strict=True)
    ]
    found = summarise(score(RunLog(log.path, log.header, rows))).abstention
    assert found is not None
    assert (found.coverage, found.accuracy_answered, found.accuracy_abstained) == (0.25, 1.0, 0.0)
    # CWE-707 (improper neutralization) is above CWE-79, not above CWE-121.
    assert (found.backoff, found.backoff_right) == (0.5, 0.5)
    assert summarise(score(log)).abstention is None


def test_choices_are_summed_up_by_the_source_of_their_page(make_log: MakeLog) -> None:
    log = make_log(["A", "B", "C", "D"], ["A", "A", "C", "C"], task="cti-mcq")
    assert summarise(score(log)).by_source == {}
    pages = [
        "https://attack.mitre.org/techniques/T1/",
        "https://attack.mitre.org/techniques/T1/",
        "https://cwe.mitre.org/data/definitions/79.html",
        "https://example.org/",
    ]
    log = make_log(["A", "B", "C", "D"], ["A", "A", "C", "C"], task="cti-mcq", sources=pages)
    found = summarise(score(log)).by_source
    assert {name: (part.n, part.accuracy) for name, part in found.items()} == {
        "ATT&CK": (2, 0.5),
        "CWE": (1, 1.0),
        "other": (1, 0.0),
    }


def test_a_letter_that_nearly_every_answer_is_is_told(make_log: MakeLog) -> None:
    golds = ["A", "B", "C", "D"] * 10
    found = summarise(score(make_log(["C"] * 38 + ["A", None], golds, task="cti-mcq"))).one_letter
    assert found is not None
    assert (found.letter, found.count, found.answers) == ("C", 38, 39)
    assert (round(found.share, 3), found.expected) == (0.974, 0.25)
    for log in (
        make_log(golds, golds, task="cti-mcq"),
        make_log(["C"] * 19, golds[:19], task="cti-mcq"),  # too few to tell
        make_log(["C"] * 40, ["C"] * 30 + golds[:10], task="cti-mcq"),  # as it is asked for
    ):
        assert summarise(score(log)).one_letter is None
