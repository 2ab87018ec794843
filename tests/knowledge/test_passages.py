from __future__ import annotations

from dataclasses import replace

import pytest

from cybersecqwen.core.passages import (
    MOST_CHARACTERS,
    merge_entries,
    page_of,
    passages_of,
)
from cybersecqwen.core.records import Catalogue, Entry, Passage, Section


@pytest.fixture(scope="module")
def passages(catalogues: list[Catalogue]) -> dict[str, Passage]:
    found = list(passages_of(merge_entries(catalogues)))
    assert len({passage.id for passage in found}) == len(found), (
        "every citation id is one of a kind"
    )
    return {passage.id: passage for passage in found}


def catalogue(*entries: Entry) -> Catalogue:
    return Catalogue("made-up", "1", "2026-01-01", "0" * 64, entries)


def entry(name: str, *texts: str, **more: object) -> Entry:
    sections = tuple(Section("description", text) for text in texts)
    return replace(Entry(name, f"Name of {name}", "technique", sections=sections), **more)


@pytest.mark.parametrize(
    ("citation", "kind", "text"),
    [
        ("T9100.001", "description", "Adversaries may try one code"),
        ("T9100#mitigation-M9001", "mitigation", "Lantern Lockout (M9001): Lock the lantern"),
        ("T9100.001#procedure-S9001", "procedure", "Glowworm (S9001): Glowworm sprays"),
        ("T9100#detection-AN9001", "detection", "Detect lantern guessing."),
        ("CWE-901#mitigation-2", "mitigation", "Operation; Firewall: Use sand."),
        ("CAPEC-901#prerequisite-1", "prerequisite", "The form takes oil."),
        ("G9001#alias-1", "alias", "Moth Swarm (G9001) is also known as: APT-Moth."),
    ],
)
def test_citation_ids(passages: dict[str, Passage], citation: str, kind: str, text: str) -> None:
    assert passages[citation].kind == kind
    assert passages[citation].text.startswith(text)


def test_relations_run_both_ways(passages: dict[str, Passage]) -> None:
    assert passages["T9100#relation-1"].text == (
        "Tactics: Credential Access (TA9006)."
        " Sub-techniques: Lantern Guessing: Wick Spraying (T9100.001)."
        " Mitigated by: Lantern Lockout (M9001)."
        " Attack patterns: Oil Injection (CAPEC-901)."
    )
    assert "Used by: Moth Swarm (G9001)." in passages["S9001#relation-1"].text
    assert "Member of: Liquids (CWE-950)." in passages["CWE-901#relation-1"].text


def test_withdrawn_entries_leave_a_notice_alone(passages: dict[str, Passage]) -> None:
    assert passages["T9001"].text == (
        "T9001 Old Guessing has been withdrawn (deprecated or revoked)."
        " Use Lantern Guessing: Wick Spraying (T9100.001) instead."
    )
    assert [i for i in passages if page_of(i) == "T9001"] == ["T9001"]
    assert passages["T9002"].text.endswith("(deprecated or revoked).")


def test_same_entry_in_two_catalogues_is_joined() -> None:
    first = entry("G1", "one text", aliases=("A",), links=(("uses", "S1"),))
    second = entry("G1", "one text", "another", aliases=("B",), links=(("uses", "S2"),))
    merged = merge_entries([catalogue(first), catalogue(second)])["G1"]
    assert merged.aliases == ("A", "B")
    assert [section.text for section in merged.sections] == ["one text", "another"]
    assert merged.links == (("uses", "S1"), ("uses", "S2"))


@pytest.mark.parametrize("live_first", [True, False])
def test_an_entry_that_one_catalogue_still_holds_is_held(live_first: bool) -> None:
    live, gone = entry("T1", "alive"), entry("T1", "gone", withdrawn=True)
    order = [live, gone] if live_first else [gone, live]
    assert merge_entries([catalogue(each) for each in order])["T1"] == live


def test_long_texts_are_cut_at_paragraphs_then_sentences() -> None:
    sentence = "This sentence has some eight words in it. "
    long = "\n\n".join([sentence * 10, sentence * 60, "x" * 3000, "short end"])
    found = list(passages_of({"T1": entry("T1", long)}))
    assert all(0 < len(p.text) <= MOST_CHARACTERS for p in found)
    assert [p.id for p in found[:3]] == ["T1", "T1#description-2", "T1#description-3"]
    joined = " ".join(p.text for p in found)
    assert joined.count("some eight words") == 70
    assert joined.count("x") == 3000
    assert found[1].text.endswith("words in it.")
