from __future__ import annotations

from cybersecqwen.core.records import Advisory, CweLabel, RecordProblem
from cybersecqwen.core.rows import labels_of
from cybersecqwen.corpus.cleaning.merge import Merger


def test_the_first_description_stays_and_labels_add_up_in_source_order() -> None:
    merger = Merger()
    first = merger.add([Advisory("CVE-2020-1010", "The text.", (CweLabel("CWE-79", "nvd"),))])
    second = merger.add(
        [
            Advisory(
                "cve-2020-1010",
                "Another text.",
                (
                    CweLabel("CWE-80", "nvd"),
                    CweLabel("CWE-79", "nvd"),
                    CweLabel("CWE-20", "cna"),
                ),
                published="2020-02-03",
            )
        ]
    )
    rows, removed = merger.finish()
    assert [(r.id, r.text, r.published) for r in rows] == [
        ("CVE-2020-1010", "The text.", "2020-02-03")
    ]
    assert rows[0].labels == labels_of(nvd=("CWE-79", "CWE-80"), cna=("CWE-20",))
    assert removed == []
    assert (first.new, second.new, second.records, second.other_text) == (1, 0, 1, 1)
    assert second.by_year == {2020: 1}


def test_texts_that_differ_in_spacing_alone_are_no_conflict() -> None:
    merger = Merger()
    merger.add([Advisory("CVE-2020-1010", "The  text")])
    assert merger.add([Advisory("CVE-2020-1010", "The text.")]).other_text == 0


def test_rows_come_in_the_order_of_ids() -> None:
    merger = Merger()
    names = ["note-1", "CVE-2021-10000", "CVE-2021-9999", "CVE-2004-0001"]
    merger.add([Advisory(name, f"text of {name}") for name in names])
    assert [row.id for row in merger.finish()[0]] == names[::-1]


def test_problems_and_texts_without_words_are_listed_with_their_place() -> None:
    merger = Merger()
    counts = merger.add(
        [
            RecordProblem("f:1", "", "broken"),
            RecordProblem("f:2", "CVE-2020-0001", "rejected by its CNA", "rejected"),
            Advisory("CVE-2020-0002", "…"),
        ]
    )
    rows, removed = merger.finish()
    assert rows == []
    assert (counts.unreadable, counts.rejected) == (1, 1)
    assert [(r.id, r.stage) for r in removed] == [
        ("", "unreadable"),
        ("CVE-2020-0001", "rejected"),
        ("CVE-2020-0002", "unreadable"),
    ]
    assert removed[0].reason == "f:1: broken"
