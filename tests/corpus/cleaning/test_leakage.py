from __future__ import annotations

from cybersecqwen.core.rows import CorpusRow, labels_of
from cybersecqwen.corpus.cleaning.leakage import find_crossings
from cybersecqwen.corpus.records.recipe import NearDuplicate
from small_corpus import TEXTS


def _rows(prefix: str, *texts: str) -> list[CorpusRow]:
    return [
        CorpusRow(f"{prefix}-{n:04d}", t, "", labels_of(nvd=("CWE-79",)))
        for n, t in enumerate(texts)
    ]


def test_both_sides_of_a_crossing_are_named() -> None:
    train = _rows("CVE-2023", TEXTS["race"] + " 1", TEXTS["path"], TEXTS["race"] + " as well")
    validation = _rows("CVE-2024", TEXTS["query"], TEXTS["race"] + " 2.3")
    found = find_crossings(train, validation, NearDuplicate())
    assert [r.id for r in found.train] == ["CVE-2023-0000", "CVE-2023-0002"]
    assert [r.id for r in found.validation] == ["CVE-2024-0001"]
    (held_out,) = found.validation
    best = {m.measure: (m.item, m.against) for m in held_out.matches}
    assert best["digits"] == ("CVE-2023-0000", "train")
    assert {"ngram", "cosine"} <= set(best)
    assert {m.against for m in found.train[0].matches} == {"validation"}
    assert {r.stage for r in (*found.train, *found.validation)} == {"guard"}


def test_parts_without_common_texts_do_not_cross() -> None:
    found = find_crossings(
        _rows("CVE-2023", TEXTS["race"]), _rows("CVE-2024", TEXTS["query"]), NearDuplicate()
    )
    assert (found.train, found.validation) == ([], [])


def test_no_validation_rows_is_no_error() -> None:
    found = find_crossings(_rows("CVE-2023", TEXTS["race"]), [], NearDuplicate())
    assert (found.train, found.validation) == ([], [])
