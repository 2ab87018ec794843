from __future__ import annotations

from apps.outputs.output_rows import named, row, written
from cybersecqwen.apps.outputs.table import TableWriter, short_name


def table(*rows) -> list[str]:
    return written("table", *rows).decode("utf-8").splitlines()


def test_table_fits_its_width_and_obeys_no_escape() -> None:
    lines = table(row("CVE-2024-1\x1b[2J"), row("b" * 200, abstained=True))
    assert len(lines) == 3
    assert all(len(line) <= 80 for line in lines)
    assert "\x1b" not in "".join(lines)
    assert lines[0].index("CWE") == lines[1].index("CWE-79") == lines[2].index("CWE-79")


def test_the_weakness_comes_first_and_the_remark_is_short() -> None:
    lines = table(row("CVE-2024-12345", abstained=True), row("b", abstained=True, backoff=None))
    assert lines[1].endswith("45%  Cross-site Scripting  (at least CWE-74)")
    assert lines[2].endswith("(unsure)")


def test_an_ancestor_that_is_the_guess_is_not_offered() -> None:
    (_, line) = table(row(abstained=True, backoff=named("CWE-79", 0.8)))
    assert line.endswith("(unsure)")
    text = TableWriter(80).single(row(abstained=True, backoff=named("CWE-79", 0.8)))
    assert "Unsure which kind of CWE-79 it is" in text


def test_a_name_too_long_is_told_by_its_alias() -> None:
    name = "Improper Limitation of a Pathname to a Restricted Directory ('Path Traversal')"
    assert short_name(name, 100) == name
    assert short_name(name, 30) == "Path Traversal"
    assert short_name("Missing Authorization", 10) == "Missing A…"


def test_table_of_one_text_lists_its_candidates() -> None:
    text = TableWriter(60).single(row(abstained=True))
    assert [line[:8].strip() for line in text.splitlines()][:2] == ["CWE-79", "CWE-89"]
    assert "at least CWE-74" in text


def test_table_of_one_text_shows_both_conventions() -> None:
    other = row(cwe="CWE-80", name="Basic XSS", confidence=0.9)
    lines = TableWriter(80).single(row(abstained=True), {"nvd": row(abstained=True), "cna": other})
    first, second, blank, candidate, *_ = lines.splitlines()
    assert first.startswith("NVD           CWE-79     45%")
    assert first.endswith("(at least CWE-74)")
    assert second == "Vendor (CNA)  CWE-80     90%  Basic XSS"
    assert (blank, candidate[:6]) == ("", "CWE-79")


def test_what_mitre_says_of_an_id_is_said() -> None:
    text = TableWriter(80).single(row(usage="discouraged"))
    assert "MITRE's mapping usage of CWE-79: discouraged." in text
    instead = row(instead_of=named("CWE-119", 0.9))
    assert "CWE-79 is proposed instead of CWE-119" in TableWriter(80).single(instead)
    assert table(instead)[1].endswith("(for CWE-119)")


def test_what_the_text_denies_is_shown_without_escapes() -> None:
    shown = TableWriter(80).single(row(denied=("no XSS\x1b[31m was found", "no CSRF")))
    assert shown.endswith('\nDenied in the text: "no XSS[31m was found"; "no CSRF".\n')
