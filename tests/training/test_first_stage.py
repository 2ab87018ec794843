from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("accelerate")
pytestmark = pytest.mark.torch

import torch  # noqa: E402
from tokenizers import Tokenizer  # noqa: E402

from cybersecqwen.core.ngrams import NgramClassifier  # noqa: E402
from cybersecqwen.training.first_stage import (  # noqa: E402
    NEVER,
    NgramModel,
    choose_exit,
    fit_first_stage,
    quantise,
)
from cybersecqwen.training.recipe import FirstStage, Fit, Supervision  # noqa: E402
from cybersecqwen.training.rows import (  # noqa: E402
    NO_LABEL,
    Texts,
    age_weights,
    choose_labels,
    encode,
    label_numbers,
    read_rows,
)
from cybersecqwen.training.supervision import Supervised, predict  # noqa: E402

PLAN = FirstStage(fit=Fit(epochs=8, batch_size=16, learning_rate=1e-2), bits=8, width=16)


def load(corpus_folder: Path, base_folder: Path, name: str) -> tuple[Supervised, int]:
    tokenizer = Tokenizer.from_file(str(base_folder / "tokenizer.json"))
    rows = read_rows(corpus_folder / f"{name}.jsonl")
    labels = choose_labels(rows, ("nvd", "cna"), 1)
    texts = encode(tokenizer, [row.text for row in rows], 32)
    numbers = label_numbers(rows, labels, ("nvd", "cna"))
    return Supervised(texts, numbers, age_weights(rows, 4, 0.1)), tokenizer.get_vocab_size()


def saved(model: NgramClassifier) -> bytes:
    stream = BytesIO()
    model.save(stream)
    return stream.getvalue()


def fit(corpus_folder: Path, base_folder: Path, folder: Path) -> NgramClassifier:
    data, vocabulary = load(corpus_folder, base_folder, "train")
    return fit_first_stage(PLAN, data, (vocabulary, 4), Supervision(), folder, 3)


@pytest.fixture(scope="module")
def fitted(
    corpus_folder: Path, base_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[NgramClassifier, Path]:
    folder = tmp_path_factory.mktemp("stage")
    return fit(corpus_folder, base_folder, folder), folder


def each(texts: Texts) -> list[np.ndarray]:
    return [texts[row].astype(np.int64) for row in range(len(texts))]


def test_it_learns(
    fitted: tuple[NgramClassifier, Path], corpus_folder: Path, base_folder: Path
) -> None:
    data, _ = load(corpus_folder, base_folder, "validation")
    found = fitted[0].logits(each(data.texts), 0).argmax(-1)
    assert (found == data.labels[:, 0]).mean() > 0.9


def test_the_same_seed_makes_the_same_model(
    fitted: tuple[NgramClassifier, Path], corpus_folder: Path, base_folder: Path, tmp_path: Path
) -> None:
    assert saved(fit(corpus_folder, base_folder, tmp_path)) == saved(fitted[0])


def test_a_finished_fit_is_not_done_again(
    fitted: tuple[NgramClassifier, Path], corpus_folder: Path, base_folder: Path
) -> None:
    model, folder = fitted
    curve = folder / "curve.json"
    curve.write_text(json.dumps("untouched"))
    assert saved(fit(corpus_folder, base_folder, folder)) == saved(model)
    assert json.loads(curve.read_text()) == "untouched"


def test_in_integers_it_scores_as_it_was_learnt() -> None:
    torch.manual_seed(0)
    model = NgramModel(PLAN, 60, 2, 5, Supervision())
    torch.nn.init.normal_(model.own.weight)
    torch.nn.init.normal_(model.own.bias)
    draw = np.random.default_rng(0)
    lengths = draw.integers(2, 30, 200)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    texts = Texts(draw.integers(1, 60, starts[-1]).astype(np.int32), starts)
    wanted = predict(model, texts)  # in padded batches
    small = quantise(model)
    for labeller in (0, 1):
        found = small.logits(each(texts), labeller)
        assert np.abs(found - wanted[:, labeller]).max() < 0.05 * wanted.std()


def answers(right: np.ndarray, sure: np.ndarray) -> np.ndarray:
    """Two-class logits for label 0, right or wrong, with a given confidence."""
    margin = np.log(sure / (1 - sure)) * np.where(right, 1, -1)
    return np.stack([margin, np.zeros_like(margin)], 1)


def make_pair(rows: int = 4000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A calibrated quick model, and an encoder that is right on 9 rows of 10 whatever they are."""
    draw = np.random.default_rng(0)
    sure = draw.uniform(0.5, 1 - 1e-6, rows)
    quick = answers(draw.random(rows) < sure, sure)
    encoder = answers(draw.random(rows) < 0.9, np.full(rows, 0.9)).astype(np.float32)
    return quick, encoder, np.zeros(rows, np.int64)


def test_the_exit_lies_where_the_encoder_would_do_no_better() -> None:
    quick, encoder, labels = make_pair()
    found = choose_exit(quick, encoder, labels, 0.001)
    # Above 0.8 the quick model is right 9 times of 10 as well; noise moves that a little.
    assert 0.75 < found.confidence < 0.9
    assert 0.2 < found.share < 0.5
    assert found.accuracy >= found.encoder_accuracy - 0.001 / found.share
    assert found.lost <= 0.001


def test_what_is_reported_is_what_leaving_does() -> None:
    quick, encoder, labels = make_pair()
    found = choose_exit(quick, encoder, labels, 0.001)
    scaled = np.exp(quick / found.temperature)
    leaves = (scaled / scaled.sum(-1, keepdims=True)).max(-1) >= found.confidence
    together = np.where(leaves[:, None], quick, encoder).argmax(-1)
    before = (encoder.argmax(-1) == labels).mean()
    assert found.share == pytest.approx(leaves.mean())
    assert before - (together == labels).mean() == pytest.approx(found.lost)


def test_more_may_be_lost_and_more_leave() -> None:
    quick, encoder, labels = make_pair()
    shares = [choose_exit(quick, encoder, labels, lost).share for lost in (0.0, 0.01, 0.05)]
    assert shares == sorted(set(shares))


def test_a_worse_quick_model_never_answers() -> None:
    quick, encoder, labels = make_pair()
    wrong = answers(np.random.default_rng(1).random(4000) < 0.5, np.full(4000, 0.9))
    assert choose_exit(wrong, encoder, labels, 0.001).confidence == NEVER
    labels[50:] = NO_LABEL  # too few rows to tell
    assert choose_exit(quick, encoder, labels, 0.001).confidence == NEVER
