from __future__ import annotations

import hashlib
from io import BytesIO
from pathlib import Path

import msgspec
import numpy as np
import pytest

from cybersecqwen import CweMapper
from cybersecqwen.core.errors import ModelError
from cybersecqwen.core.model_folder import FirstStageConfig, SpecialistConfig
from cybersecqwen.core.ngrams import NgramClassifier
from cybersecqwen.specialists.model import load_folder
from tiny_specialist import LABELLERS, LABELS, VOTES, build_tokenizer, write_model

# What the graph says of each word, but for "free", by which the two can be told apart.
_QUICK = {word: votes[0] for word, votes in VOTES.items()} | {"free": "CWE-89"}


def add_first_stage(folder: Path, exits: dict[str, float], labels: int = len(LABELS)) -> Path:
    """Give a tiny model a first stage in which each word speaks loudly for one id."""
    tokenizer = build_tokenizer(tuple(VOTES))
    vocabulary = tokenizer.get_vocab_size()
    table = np.zeros((vocabulary + 2, len(LABELS)), np.int8)
    for word, label in _QUICK.items():
        table[tokenizer.token_to_id(word), LABELS.index(label)] = 10
    head = np.eye(len(LABELS), labels, dtype=np.int16)
    model = NgramClassifier(
        table=table,
        head=np.stack([head] * len(LABELLERS)),
        scale=np.ones((len(LABELLERS), labels), np.float32),
        bias=np.zeros((len(LABELLERS), labels), np.float32),
        tokens=np.array([vocabulary]),
    )
    stream = BytesIO()
    model.save(stream)
    (folder / "first_stage.npz").write_bytes(stream.getvalue())
    file = folder / "config.json"
    config = msgspec.json.decode(file.read_bytes(), type=SpecialistConfig)
    digest = hashlib.sha256(stream.getvalue()).hexdigest()
    changed = msgspec.structs.replace(
        config,
        sha256=config.sha256 | {"first_stage.npz": digest},
        first_stage=FirstStageConfig(temperature={"nvd": 1.0, "cna": 2.0}, exit=exits),
    )
    file.write_bytes(msgspec.json.encode(changed))
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = write_model(tmp_path_factory.mktemp("cascade") / "tiny")
    return add_first_stage(model, {"nvd": 0.9, "cna": 1.1})


@pytest.fixture(scope="module")
def mapper(folder: Path) -> CweMapper:
    return CweMapper.load(folder)


def test_a_sure_first_stage_answers(mapper: CweMapper) -> None:
    answer = mapper.map("free free", top_k=6)
    assert answer.cwe == "CWE-89"  # the graph says CWE-416
    # Two words among four tokens and as many pairs: 20 / sqrt(8) for one id, 0 for five.
    assert answer.confidence == pytest.approx(1 / (1 + 5 * np.exp(-20 / np.sqrt(8))), rel=1e-6)
    assert sum(c.probability for c in answer.candidates) == pytest.approx(1, abs=1e-12)


def test_an_unsure_one_leaves_the_text_to_the_graph(mapper: CweMapper, tiny_model: Path) -> None:
    text = "sql write read other other free"
    assert mapper.map(text) == CweMapper.load(tiny_model).map(text)


def test_an_exit_above_one_is_never_taken(mapper: CweMapper, tiny_model: Path) -> None:
    plain = CweMapper.load(tiny_model)
    texts = ["free free", "sql " * 25, "read write"]
    assert [mapper.map(text, labeller="cna") for text in texts] == [
        plain.map(text, labeller="cna") for text in texts
    ]


def test_temperature_and_exit_are_the_first_stages_own(tmp_path: Path) -> None:
    model = add_first_stage(write_model(tmp_path / "tiny"), {"nvd": 0.9, "cna": 0.5})
    mapper = CweMapper.load(model)
    nvd, cna = (mapper.map("free free", labeller=name) for name in ("nvd", "cna"))
    assert nvd.cwe == cna.cwe == "CWE-89"
    assert cna.confidence == pytest.approx(1 / (1 + 5 * np.exp(-10 / np.sqrt(8))), rel=1e-6)
    assert cna.confidence < 0.9 < nvd.confidence


def test_many_answers_as_one_does(mapper: CweMapper, tiny_model: Path) -> None:
    words = [*VOTES, "other"]
    texts = [" ".join(words[n % 6] for n in range(k, k + k % 4 + 1)) for k in range(1500)]
    together = list(mapper.map_many(texts))
    for text, answer in zip(texts, together, strict=True):
        alone = mapper.map(text)
        assert answer.cwe == alone.cwe
        assert answer.confidence == pytest.approx(alone.confidence, rel=1e-5)
    graphs = list(CweMapper.load(tiny_model).map_many(texts))
    from_graph = sum(
        a.confidence == pytest.approx(b.confidence) for a, b in zip(together, graphs, strict=True)
    )
    assert 100 < from_graph < 1400  # both stages had their part


@pytest.mark.parametrize("texts", [["free free"] * 3, ["sql write"] * 3])
def test_a_window_all_of_one_kind(mapper: CweMapper, texts: list[str]) -> None:
    assert list(mapper.map_many(texts)) == [mapper.map(text) for text in texts]


def test_an_answer_that_leaves_early_can_still_abstain(mapper: CweMapper) -> None:
    answer = mapper.map("free free", threshold=1.0)
    assert answer.cwe == "CWE-89"
    assert answer.abstained


def test_a_damaged_first_stage_is_named(tmp_path: Path) -> None:
    copy = add_first_stage(write_model(tmp_path / "copy"), {"nvd": 0.9, "cna": 0.9})
    content = bytearray((copy / "first_stage.npz").read_bytes())
    content[len(content) // 2] ^= 1
    (copy / "first_stage.npz").write_bytes(content)
    with pytest.raises(ModelError, match=r"first_stage\.npz: damaged"):
        load_folder(copy)
    (copy / "first_stage.npz").unlink()
    with pytest.raises(ModelError, match=r"first_stage\.npz: cannot be read"):
        load_folder(copy)


def test_one_of_another_models_is_refused(tmp_path: Path) -> None:
    exits = {"nvd": 0.9, "cna": 0.9}
    with pytest.raises(ModelError, match="does not fit"):
        CweMapper.load(add_first_stage(write_model(tmp_path / "other"), exits, labels=4))


def test_exits_must_name_the_labellers(tmp_path: Path) -> None:
    copy = add_first_stage(write_model(tmp_path / "copy"), {"nvd": 0.9})
    with pytest.raises(ModelError, match="first stage must name exactly the labellers"):
        load_folder(copy)
