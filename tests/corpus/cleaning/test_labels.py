from __future__ import annotations

from cybersecqwen.core.rows import CorpusRow, labels_of
from cybersecqwen.core.taxonomy import shipped_taxonomy
from cybersecqwen.corpus.cleaning.labels import apply_policy
from cybersecqwen.corpus.records.recipe import LabelPolicy


def _row(number: int, **labels: tuple[str, ...]) -> CorpusRow:
    return CorpusRow(f"CVE-2020-{number:04d}", "text", "", labels_of(**labels))


def test_what_mitre_prohibits_is_dropped_and_what_it_discourages_is_kept() -> None:
    rows = [
        _row(1, nvd=("CWE-264", "CWE-79"), cna=("CWE-264",)),  # CWE-264 is a category
        _row(2, nvd=("CWE-119",)),  # discouraged
        _row(3, nvd=("CWE-999999",), adp=("CWE-1000",)),  # unknown; a view
    ]
    kept, counts = apply_policy(rows, LabelPolicy(), shipped_taxonomy())
    assert [row.labels for row in kept] == [
        labels_of(nvd=("CWE-79",)),
        labels_of(nvd=("CWE-119",)),
        labels_of(),
    ]
    assert counts.prohibited == {
        "nvd": {"CWE-264": 1},
        "cna": {"CWE-264": 1},
        "adp": {"CWE-1000": 1},
    }
    assert counts.unknown == {"nvd": {"CWE-999999": 1}}
    assert counts.discouraged == {"nvd": {"CWE-119": 1}}


def test_rare_ids_go_when_the_recipe_asks_whoever_assigned_them() -> None:
    rows = [
        _row(1, nvd=("CWE-79",)),
        _row(2, cna=("CWE-79", "CWE-89")),
        _row(3, nvd=("CWE-416",), cna=("CWE-416",)),  # one record, though two labellers
    ]
    kept, counts = apply_policy(rows, LabelPolicy(min_count=2), shipped_taxonomy())
    assert [row.labels for row in kept] == [
        labels_of(nvd=("CWE-79",)),
        labels_of(cna=("CWE-79",)),
        labels_of(),
    ]
    assert counts.rare == {"cna": {"CWE-89": 1, "CWE-416": 1}, "nvd": {"CWE-416": 1}}
