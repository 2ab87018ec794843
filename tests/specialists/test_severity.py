from __future__ import annotations

import numpy as np
import pytest

from cybersecqwen.core.cvss import score_of
from cybersecqwen.core.cvss_metrics import METRICS_V3, METRICS_V4, QUESTIONS
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.records import Advisory, CvssVector
from cybersecqwen.specialists.severity import SeverityScorer

REMOTE = (
    "A stack-based buffer overflow in the web server allows unauthenticated remote attackers to "
    "execute arbitrary code via a long cookie."
)
SCRIPT = (
    "Improper neutralization of input in the profile page allows an authenticated user to inject "
    "script that runs in the browser of other users who view the page."
)
LOCAL = "A local low-privileged user can crash the kernel because of a NULL pointer dereference."


@pytest.fixture(scope="module")
def scorer() -> SeverityScorer:
    return SeverityScorer.from_pretrained()


def test_texts_that_tell_get_the_metrics_that_they_tell(scorer: SeverityScorer) -> None:
    remote, script, local = scorer.score_many([REMOTE, SCRIPT, LOCAL])
    assert remote.vector == "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
    assert (remote.score, remote.severity) == (9.8, "critical")
    assert [script.metrics[m].value for m in ("PR", "UI", "S")] == ["L", "R", "C"]
    assert [local.metrics[m].value for m in ("AV", "C", "A")] == ["L", "N", "H"]


def test_the_words_that_speak_for_a_metric_stand_in_the_text(scorer: SeverityScorer) -> None:
    found = scorer.score(REMOTE)
    assert "unauthenticated" in found.metrics["PR"].because
    assert "remote" in found.metrics["AV"].because
    for metric in found.metrics.values():
        assert all(word in REMOTE for word in metric.because)
        assert 0 < metric.probability <= 1


@pytest.mark.parametrize("text", [REMOTE, SCRIPT, LOCAL])
def test_version_4_does_not_contradict_version_3(scorer: SeverityScorer, text: str) -> None:
    old = scorer.score(text, scorer="cna")
    new = scorer.score(text, scorer="cna", version="4.0")
    assert list(new.metrics) == list(METRICS_V4)
    assert list(old.metrics) == list(METRICS_V3)
    assert new.score == score_of(new.vector)
    values = {name: found.value for name, found in old.metrics.items()}
    assert contradictions(values, {name: found.value for name, found in new.metrics.items()}) == []


def contradictions(old: dict[str, str], new: dict[str, str]) -> list[str]:
    """Return the metrics of a version 4 vector that a version 3 one contradicts."""
    wrong = [metric for metric in ("AV", "PR") if new[metric] != old[metric]]
    wrong += ["UI"] if (new["UI"] == "N") != (old["UI"] == "N") else []
    wrong += ["AC"] if ((new["AC"], new["AT"]) == ("L", "N")) != (old["AC"] == "L") else []
    unchanged = old["S"] == "U"
    wrong += [f"V{m}" for m in "CIA" if unchanged and new[f"V{m}"] != old[m]]
    wrong += ["S"] if all(new[f"S{m}"] == "N" for m in "CIA") != unchanged else []
    return wrong


def test_no_version_4_vector_contradicts_whatever_is_read(scorer: SeverityScorer) -> None:
    random = np.random.default_rng(0)
    size = sum(question.size for question in QUESTIONS)
    for _ in range(300):
        logits = random.normal(scale=3, size=size).astype(np.float32)
        values = {name: int(random.integers(len(v))) for name, v in METRICS_V3.items()}
        chosen, shares = scorer._vector_v4(logits, {m: (n, 0.9) for m, n in values.items()})
        old = {name: METRICS_V3[name][number] for name, number in values.items()}
        new = {m: METRICS_V4[m][n] for m, n in zip(METRICS_V4, chosen, strict=True)}
        assert contradictions(old, new) == []
        assert all(0 < share <= 1 for share in shares)


def test_the_vector_of_whom_it_is_asked_for_is_not_read(scorer: SeverityScorer) -> None:
    def record(vector: str) -> Advisory:
        return Advisory("CVE-1", REMOTE, cvss=(CvssVector(vector, "3.1", "cna"),))

    high = record("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H")
    low = record("CVSS:3.1/AV:P/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N")
    asked = scorer.score(high, scorer="cna"), scorer.score(low, scorer="cna")
    assert asked[0] == asked[1]
    told = scorer.score(high), scorer.score(low)  # NVD writes after the CNA
    assert told[0] != told[1]


def test_what_tells_is_found_at_the_end_of_a_long_text(scorer: SeverityScorer) -> None:
    found = scorer.score(" The module is part of the plant console." * 100 + " " + REMOTE)
    assert "unauthenticated" in found.metrics["PR"].because


def test_what_a_text_denies_is_not_scored(scorer: SeverityScorer) -> None:
    report = "A local user who opens a crafted PDF file crashes the reader."
    alone, denied = scorer.score_many([report, f"{report} No remote code execution was found."])
    assert denied.vector == alone.vector
    assert scorer.score("SQL injection was not found.").vector  # there is always one


def test_empty_texts_and_unknown_versions(scorer: SeverityScorer) -> None:
    with pytest.raises(InputError, match="nothing to read"):
        scorer.score(" \t ")
    with pytest.raises(InputError, match="version"):
        scorer.score(REMOTE, version="2.0")
