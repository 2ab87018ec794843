from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from cybersecqwen.core.errors import InputError, ModelError
from cybersecqwen.core.interfaces import Backend
from cybersecqwen.llm import open_backend
from cybersecqwen.llm.rerank import LlmReranker
from cybersecqwen.specialists import CweMapper
from tiny_specialist import write_model


@pytest.fixture(scope="module")
def specialist(tmp_path_factory: pytest.TempPathFactory) -> CweMapper:
    pytest.importorskip("onnx")
    return CweMapper.load(write_model(tmp_path_factory.mktemp("specialist") / "tiny"))


def scripted(folder: Path, *rules: dict[str, object]) -> Backend:
    path = folder / "script.jsonl"
    path.write_text("".join(json.dumps(rule) + "\n" for rule in rules))
    return open_backend(f"mock:{path}")


def shortlist(specialist: CweMapper, text: str, size: int) -> list[str]:
    return [found.cwe for found in specialist.map(text, top_k=size).candidates]


def scores(ids: list[str], best: str) -> dict[str, float]:
    return {cwe: -0.5 if cwe == best else -3.0 for cwe in ids}


def test_it_chooses_among_what_the_specialist_leaves(specialist: CweMapper, tmp_path: Path) -> None:
    ids = shortlist(specialist, "sql", 3)
    chosen = ids[-1]
    backend = scripted(tmp_path, {"match": "CWE ID alone", "scores": scores(ids, chosen)})
    mapper = LlmReranker(backend, specialist, shortlist=3, weight=0)
    found = mapper.map("sql")
    assert found.cwe == chosen
    assert {candidate.cwe for candidate in found.candidates} == set(ids)
    assert sum(candidate.probability for candidate in found.candidates) == pytest.approx(1)
    others = 2 * math.exp(-3.0)
    assert found.confidence == pytest.approx(math.exp(-0.5) / (math.exp(-0.5) + others))
    assert not found.abstained
    assert not found.reason
    assert mapper.name == f"{backend.name}, shortlist of 3 by tiny 1.2.3"


def test_texts_keep_their_order_and_their_own_shortlists(
    specialist: CweMapper, tmp_path: Path
) -> None:
    texts = ["sql", "script", "sql"]
    lists = [shortlist(specialist, text, 2) for text in texts]
    rules = [
        {"match": text, "scores": scores(ids, ids[1])}
        for text, ids in zip(texts[:2], lists[:2], strict=True)
    ]
    mapper = LlmReranker(scripted(tmp_path, *rules), specialist, shortlist=2, weight=0)
    assert [found.cwe for found in mapper.map_many(texts)] == [ids[1] for ids in lists]


def test_it_abstains_only_when_told_and_says_why_when_asked(
    specialist: CweMapper, tmp_path: Path
) -> None:
    ids = shortlist(specialist, "sql", 3)
    backend = scripted(
        tmp_path,
        {
            "match": f"what in this text points to {ids[0]}",
            "reply": f'{ids[0]}\n\nIt joins "SQL" and “a shell”.\n{ids[0]} ',
        },
        {"scores": scores(ids, ids[0])},
    )
    mapper = LlmReranker(backend, specialist, shortlist=3, weight=0, explain=True)
    found = mapper.map("sql", threshold=0.99, top_k=1)
    assert found.abstained
    assert len(found.candidates) == 1
    assert found.reason == 'It joins "SQL" and “a shell” (not in the text).'
    assert mapper.digest != LlmReranker(backend, specialist, shortlist=3, weight=0).digest


def test_the_specialists_own_opinion_counts_by_its_weight(
    specialist: CweMapper, tmp_path: Path
) -> None:
    listed = specialist.map("sql", top_k=3).candidates
    ids = [candidate.cwe for candidate in listed]
    backend = scripted(tmp_path, {"scores": scores(ids, ids[-1])})
    alone = LlmReranker(backend, specialist, shortlist=3, weight=0)
    both = LlmReranker(backend, specialist, shortlist=3, weight=0.5)
    found = {c.cwe: c.probability for c in both.map("sql").candidates}
    products = {
        c.cwe: math.exp(scores(ids, ids[-1])[c.cwe]) * math.sqrt(c.probability) for c in listed
    }
    total = sum(products.values())
    assert found == pytest.approx({cwe: product / total for cwe, product in products.items()})
    assert both.name.endswith("by tiny 1.2.3, exponent 0.5")
    assert both.digest != alone.digest


def test_either_labellers_convention_is_asked_for(specialist: CweMapper, tmp_path: Path) -> None:
    by = {who: specialist.map("sql", top_k=2, labeller=who).candidates for who in ("nvd", "cna")}
    ids = {who: [candidate.cwe for candidate in found] for who, found in by.items()}
    rules = (
        {"match": "vendor (CNA)", "scores": scores(ids["cna"], ids["cna"][1])},
        {"match": "CWE ID alone", "scores": scores(ids["nvd"], ids["nvd"][0])},
    )
    mapper = LlmReranker(scripted(tmp_path, *rules), specialist, shortlist=2, weight=0)
    assert mapper.map("sql").cwe == ids["nvd"][0]
    assert mapper.map("sql", labeller="cna").cwe == ids["cna"][1]


def test_what_cannot_work_is_refused(specialist: CweMapper, tmp_path: Path) -> None:
    writes = scripted(tmp_path, {"reply": "CWE-79"})
    with pytest.raises(ModelError, match="cannot score"):
        LlmReranker(writes, specialist)
    scorer = scripted(tmp_path, {"scores": {"CWE-79": -1.0}})
    with pytest.raises(InputError, match="at least 1 id"):
        LlmReranker(scorer, specialist, shortlist=0)
    with pytest.raises(InputError, match="weight"):
        LlmReranker(scorer, specialist, weight=-1)
    with pytest.raises(InputError, match="top_k"):
        LlmReranker(scorer, specialist).map("sql", top_k=0)
    with pytest.raises(InputError, match="threshold"):
        LlmReranker(scorer, specialist).map("sql", threshold=2)
