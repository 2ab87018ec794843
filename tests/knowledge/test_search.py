from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.passages import page_of
from cybersecqwen.core.records import Catalogue
from cybersecqwen.knowledge.base import KnowledgeBase
from cybersecqwen.knowledge.index import build
from cybersecqwen.knowledge.index_manifest import FORMAT, MANIFEST, read_manifest
from cybersecqwen.knowledge.search import best


def found(knowledge: KnowledgeBase, query: str, limit: int = 3) -> list[str]:
    return [passage.id for passage, _ in knowledge.search(query, limit)]


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("lock after wrong codes", "T9100#mitigation-M9001"),
        ("who sprays wicks at dawn?", "T9100.001#procedure-S9001"),
        ("CWE-901", "CWE-901"),
        ("what is cwe-901 about", "CWE-901"),
        ("CWE-901 firewall", "CWE-901#mitigation-2"),
        ("T9001", "T9001"),
        ("APT-Moth", "G9001"),
        ("the prerequisite of CAPEC-901", "CAPEC-901#prerequisite-1"),
    ],
)
def test_the_best_passage_comes_first(knowledge: KnowledgeBase, query: str, first: str) -> None:
    assert found(knowledge, query)[0] == first


def test_a_withdrawn_id_leads_to_its_replacement(knowledge: KnowledgeBase) -> None:
    assert found(knowledge, "T9001", 2) == ["T9001", "T9100.001"]


def test_nothing_in_common_finds_nothing(knowledge: KnowledgeBase) -> None:
    assert knowledge.search("zebra crossing") == []
    assert knowledge.search("") == []
    assert knowledge.search("what is it?") == []


def test_scores_fall_and_the_limit_is_kept(knowledge: KnowledgeBase) -> None:
    scores = [score for _, score in knowledge.search("lantern codes", 5)]
    assert len(scores) == 5
    assert scores == sorted(scores, reverse=True)
    assert len(knowledge.search("lantern", 1000)) < len(knowledge)


def test_names_in_a_question(knowledge: KnowledgeBase) -> None:
    def named(text: str) -> list[str]:
        return [page for mention in knowledge.parse(text).mentions for page in mention.pages]

    assert named("Does Moth Swarm do wick spraying?") == ["G9001", "T9100.001"]
    assert named("oil injection") == ["CWE-901", "CAPEC-901"], "the common name of a CWE counts"
    assert named("Is glowworm a toolkit?") == ["S9001"], "case is ignored"
    assert named("Old Guessing") == [], "what is withdrawn has no name"


def test_cited_passages_are_found_by_id(knowledge: KnowledgeBase) -> None:
    passage = knowledge.cited("T9100#mitigation-M9001")
    assert passage is not None
    assert passage.text.startswith("Lantern Lockout")
    assert knowledge.cited("T9100#mitigation-M1") is None
    assert knowledge.cited("T1") is None


def test_page_maximum(knowledge: KnowledgeBase) -> None:
    scores = np.arange(len(knowledge), dtype=np.float32)
    pages = [page_of(knowledge.passage(n).id) for n in range(len(knowledge))]
    highest = {page: float(n) for n, page in enumerate(pages)}
    assert knowledge.page_maximum(scores).tolist() == [highest[page] for page in pages]


def test_best_keeps_ties_in_order() -> None:
    scores = np.array([0.0, 2.0, 1.0, 2.0, 1.0, -1.0], np.float32)
    assert best(scores, 3).tolist() == [1, 3, 2]
    assert best(scores, 10).tolist() == [1, 3, 2, 4]
    assert best(scores, 0).tolist() == []


def test_manifest(knowledge: KnowledgeBase, catalogues: list[Catalogue]) -> None:
    manifest = knowledge.manifest
    assert [(s.name, s.version, s.sha256) for s in manifest.sources] == [
        (c.name, c.version, c.sha256) for c in catalogues
    ]
    assert manifest.entries == 9 + 2 + 4
    assert sum(manifest.kinds.values()) == manifest.passages == len(knowledge)


def test_rebuilding_replaces_the_whole_folder(catalogues: list[Catalogue], tmp_path: Path) -> None:
    out = tmp_path / "kb"
    build(catalogues, out)
    build(catalogues[1:2], out)
    assert KnowledgeBase(out).search("lantern") == []
    assert read_manifest(out).sources[0].name == "capec"
    assert [path.name for path in tmp_path.iterdir()] == ["kb"], "nothing is left beside it"


def test_a_failed_build_leaves_the_old_one(
    catalogues: list[Catalogue], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "kb"
    build(catalogues, out)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cybersecqwen.knowledge.index.write_json", full)
    with pytest.raises(InputError, match="the disk is full"):
        build(catalogues[1:2], out)
    assert found(KnowledgeBase(out), "wick spraying")
    assert os.listdir(tmp_path) == ["kb"]  # noqa: PTH208


def test_building_twice_gives_the_same_bytes(catalogues: list[Catalogue], tmp_path: Path) -> None:
    for name in ("one", "two"):
        build(catalogues, tmp_path / name)
    for path in (tmp_path / "one").rglob("*.*"):
        twin = tmp_path / "two" / path.relative_to(tmp_path / "one")
        assert path.read_bytes() == twin.read_bytes(), path.name


def test_a_folder_that_is_no_index_is_never_replaced(
    catalogues: list[Catalogue], tmp_path: Path
) -> None:
    (tmp_path / "precious.txt").write_text("keep")
    with pytest.raises(InputError, match="no earlier output of this"):
        build(catalogues, tmp_path)
    assert (tmp_path / "precious.txt").read_text() == "keep"


def test_nothing_to_index_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing to index"):
        build([], tmp_path / "kb")


def test_what_is_no_index_is_refused(catalogues: list[Catalogue], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="kb build makes one"):
        KnowledgeBase(tmp_path / "absent")
    out = tmp_path / "kb"
    build(catalogues, out)
    manifest = (out / MANIFEST).read_text()
    (out / MANIFEST).write_text(manifest.replace(f'"format": {FORMAT}', '"format": 999'))
    with pytest.raises(InputError, match="format 999"):
        KnowledgeBase(out)
    (out / MANIFEST).write_text(manifest)
    (out / "pages.npy").write_bytes(b"")
    with pytest.raises(InputError, match="damaged"):
        KnowledgeBase(out)


@pytest.mark.parametrize(
    ("query", "page"),
    [
        ("T1059.001", "T1059.001"),
        ("What is Kerberoasting?", "T1558.003"),
        ("mitigations for SQL injection CWE-89", "CWE-89"),
        ("which group is also called Cozy Bear", "G0016"),
    ],
)
def test_real_questions(real_knowledge: KnowledgeBase, query: str, page: str) -> None:
    assert page in [page_of(citation) for citation in found(real_knowledge, query)]
