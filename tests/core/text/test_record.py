from __future__ import annotations

from cybersecqwen.core.records import Advisory, CvssVector, CweLabel
from cybersecqwen.core.text.record import RecordParts, parts_of, render_record, year_of, year_tokens

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


def test_a_year_is_one_word_before_all_else() -> None:
    parts = RecordParts(title="A title")
    assert render_record("A flaw.", parts, 2024) == "year2024 | A title | A flaw."
    assert render_record("A flaw.", None, 2024) == "year2024 | A flaw."
    assert render_record("A flaw.", parts) == "A title | A flaw."
    assert year_tokens("year2024 | A flaw.") == 2
    assert year_tokens("year2024 had a flaw | A flaw.") == year_tokens("A flaw.") == 0


def test_a_records_year_is_that_of_its_publication_else_of_its_id() -> None:
    assert year_of("CVE-2019-1", "2021-02-03") == 2021
    assert year_of("CVE-2019-1234", "") == 2019
    assert year_of("GHSA-1", "") == 0
