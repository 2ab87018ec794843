from __future__ import annotations

from cybersecqwen.core.cvss_metrics import rating
from cybersecqwen.core.records import CvssVector
from cybersecqwen.corpus.chat.severity import Severity, severity_of

WORST = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
LOCAL = "CVSS:3.1/AV:L/AC:L/PR:L/UI:R/S:U/C:H/I:N/A:N"


def test_the_first_whole_v3_vector_counts_nvd_before_others() -> None:
    vectors = [
        CvssVector("CVSS:4.0/AV:N", "4.0", "nvd"),
        CvssVector("AV:N/AC:L", "3.1", "nvd"),
        CvssVector(LOCAL, "3.1", "adp"),
        CvssVector(WORST.replace("3.1", "3.0"), "3.0", "cna"),
    ]
    found = severity_of(vectors)
    assert found == Severity(WORST, "cna")
    assert (found.score, found.rating) == (9.8, "Critical")
    assert severity_of(vectors[:2]) is None


def test_what_a_vector_says() -> None:
    local = Severity(LOCAL, "cna")
    assert local.effects() == ["read everything that the component holds"]
    assert local.untouched() == ["integrity", "availability"]
    assert "locally" in local.reach()
    assert "an ordinary account" in local.reach()


def test_movers_name_the_one_metric_that_moves_the_score_most() -> None:
    metric, changed = Severity(LOCAL, "cna").lowering() or ("", None)
    assert (metric, changed and changed.score) == ("C", 0.0)
    # Losing any one of three equal impacts costs the same: none of them is the one.
    tied = Severity("CVSS:3.1/AV:P/AC:H/PR:H/UI:R/S:U/C:H/I:H/A:H", "cna")
    assert tied.lowering() is None
    assert Severity(WORST.replace("S:U", "S:C"), "nvd").raising() is None


def test_ratings_are_first_s() -> None:
    assert [rating(s) for s in (0.0, 0.1, 3.9, 4.0, 6.9, 7.0, 8.9, 9.0)] == [
        *("none", "low", "low", "medium", "medium", "high", "high", "critical")
    ]
    assert Severity(WORST, "nvd").rating == "Critical"
