from __future__ import annotations

import pytest

from cybersecqwen.core.text.terms import ids_in, stem, terms


@pytest.mark.parametrize(
    "family",
    [
        "inject injects injected injecting",
        "policy policies",
        "execute executes executed executing",
        "run runs running",
        "password passwords",
        "encode encoded encoding",
        "access accesses accessed",
    ],
)
def test_inflections_meet(family: str) -> None:
    assert len({stem(word) for word in family.split()}) == 1


@pytest.mark.parametrize(
    "pair", ["process procedure", "string strong", "bus bush", "thing the", "red reed", "ring run"]
)
def test_different_words_stay_apart(pair: str) -> None:
    first, second = pair.split()
    assert stem(first) != stem(second)


def test_terms_keep_ids_whole_and_drop_stop_words() -> None:
    text = "Which of the following is T1059.001, CWE-79 or CAPEC-66 in CVE-2024-0001?"
    assert terms(text) == ["t1059.001", "cwe-79", "capec-66", "cve-2024-0001"]


def test_ids() -> None:
    text = "t1059.001 and CWE-79, T1059 (G0016) S0154 TA0002, DC0001; not T10590 or XCWE-1 or M10"
    assert ids_in(text) == ["T1059.001", "CWE-79", "T1059", "G0016", "S0154", "TA0002", "DC0001"]
