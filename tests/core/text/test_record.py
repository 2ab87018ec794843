from __future__ import annotations

from cybersecqwen.core.records import Advisory, CvssVector, CweLabel
from cybersecqwen.core.text.record import parts_of

VECTOR = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"


def record(*hands: tuple[str, str, str]) -> Advisory:
    labels = tuple(CweLabel(cwe, source, name) for cwe, source, name in hands)  # type: ignore[arg-type]
    return Advisory("CVE-2026-1", "A flaw.", labels=labels)


def test_the_cnas_word_is_read_before_anothers() -> None:
    both = record(("CWE-20", "other", "GitHub"), ("CWE-79", "cna", ""), ("CWE-1", "nvd", ""))
    assert parts_of(both, "nvd").cwe == "CWE-79"
    assert parts_of(record(("CWE-20", "other", "GitHub")), "nvd").cwe == "CWE-20"


def test_what_nobody_puts_a_name_to_may_be_the_answer_and_is_not_read() -> None:
    assert parts_of(record(("CWE-20", "other", "")), "nvd").cwe == ""


def test_the_answer_that_is_asked_for_is_not_read() -> None:
    scored = tuple(CvssVector(VECTOR, "3.1", source, "X") for source in ("cna", "other"))  # type: ignore[arg-type]
    known = Advisory("a", "A flaw.", labels=(CweLabel("CWE-79", "cna"),), cvss=scored)
    assert parts_of(known, "cna").cwe == ""
    assert parts_of(known, "cna").vector == VECTOR
    assert parts_of(known, "cna", severity=True).vector == ""
    assert parts_of(known, "nvd", severity=True).vector == VECTOR
