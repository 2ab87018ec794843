from __future__ import annotations

from cybersecqwen.core.rows import CorpusRow, labels_of
from cybersecqwen.corpus.cleaning.dedupe import conflicting, remove_duplicates, remove_known
from cybersecqwen.corpus.cleaning.similarity import masked
from cybersecqwen.corpus.records.rows import Match, Removal


def _row(record_id: str, text: str, published: str = "", **labels: tuple[str, ...]) -> CorpusRow:
    return CorpusRow(record_id, text, published, labels_of(**labels))


def test_numbers_case_and_punctuation_do_not_tell_texts_apart() -> None:
    assert masked("Foo before 1.2.3, has a bug.") == masked("foo BEFORE 10.4 has a bug")
    assert masked("Foo 1 has a bug") != masked("Foo has a bug")


def test_the_newest_stays_and_takes_over_only_labels_it_lacks() -> None:
    rows = [
        _row("CVE-2019-0001", "A bug in v1.0", "2019-01-01", nvd=("CWE-20",), adp=("CWE-77",)),
        _row("CVE-2020-0001", "A bug in v1.1", "2020-01-01", nvd=("CWE-79",), cna=("CWE-80",)),
        _row("CVE-2021-0001", "a bug in v1.1!", "2021-01-01", nvd=("CWE-89",)),
        _row("CVE-2018-0001", "Something else", "2018-01-01", nvd=("CWE-89",)),
    ]
    result = remove_duplicates(rows, "train")
    assert [row.id for row in result.kept] == ["CVE-2021-0001", "CVE-2018-0001"]
    assert result.kept[0].labels == labels_of(("CWE-89",), ("CWE-80",), ("CWE-77",))
    assert result.kept[0].text == "a bug in v1.1!"
    assert result.removed == [
        Removal("CVE-2019-0001", "duplicate", (Match("digits", "train", "CVE-2021-0001", 1.0),)),
        Removal("CVE-2020-0001", "duplicate", (Match("text", "train", "CVE-2021-0001", 1.0),)),
    ]
    assert conflicting(rows, result.removed) == 2


def test_without_dates_the_later_id_is_the_newer() -> None:
    rows = [_row("CVE-2020-10000", "A bug"), _row("CVE-2020-9999", "A bug")]
    assert [row.id for row in remove_duplicates(rows, "train").kept] == ["CVE-2020-10000"]


def test_rows_that_another_part_has_are_found() -> None:
    rows = [_row("CVE-2020-0001", "A bug in 1.0"), _row("CVE-2020-0002", "News")]
    result = remove_known(rows, [_row("CVE-2021-0001", "a bug in 2.0")], "validation")
    assert [row.id for row in result.kept] == ["CVE-2020-0002"]
    assert result.removed[0].matches == (Match("digits", "validation", "CVE-2021-0001", 1.0),)
