from __future__ import annotations

from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest

from cybersecqwen.core.errors import ModelError
from cybersecqwen.core.ngrams import NgramClassifier, pair_hash

V, BITS, D, L, C = 50, 7, 8, 2, 5


@pytest.fixture
def model() -> NgramClassifier:
    draw = np.random.default_rng(0)
    return NgramClassifier(
        table=draw.integers(-127, 128, (V + 2**BITS, D)).astype(np.int8),
        head=draw.integers(-32767, 32768, (L, D, C)).astype(np.int16),
        scale=draw.uniform(1e-6, 1e-5, (L, C)).astype(np.float32),
        bias=draw.normal(size=(L, C)).astype(np.float32),
        tokens=np.array([V]),
    )


def saved(model: NgramClassifier) -> bytes:
    stream = BytesIO()
    model.save(stream)
    return stream.getvalue()


def make_texts(count: int) -> list[np.ndarray]:
    draw = np.random.default_rng(1)
    return [draw.integers(1, V, draw.integers(1, 40)) for _ in range(count)]


def test_logits_follow_the_definition(model: NgramClassifier) -> None:
    text = np.array([3, 4, 3])
    pairs = [int(pair_hash(a, b, BITS)) for a, b in ((3, 4), (4, 3), (3, 0))]
    rows = [3, 4, 3, *(V + pair for pair in pairs)]
    total = model.table[rows].astype(float).sum(0) / np.sqrt(6)
    wanted = total @ model.head[1] * model.scale[1] + model.bias[1]
    np.testing.assert_allclose(model.logits([text], 1)[0], wanted, rtol=1e-12)


def test_a_text_alone_and_among_others_gives_the_same_bits(model: NgramClassifier) -> None:
    texts = make_texts(300)
    together = model.logits(texts, 0)
    alone = np.concatenate([model.logits([text], 0) for text in texts])
    assert np.array_equal(together, alone)


def test_the_order_of_tokens_matters(model: NgramClassifier) -> None:
    forth, back = model.logits([np.array([1, 2, 3]), np.array([3, 2, 1])], 0)
    assert not np.allclose(forth, back)


def test_an_empty_text_gets_the_bias(model: NgramClassifier) -> None:
    empty = np.zeros(0, np.int64)
    first, *_, last = model.logits([empty, np.array([5]), empty], 0)
    assert np.array_equal(first, model.bias[0].astype(float))
    assert np.array_equal(last, first)


def test_no_texts(model: NgramClassifier) -> None:
    assert model.logits([], 0).shape == (0, C)


def test_hashes_fill_their_range_evenly() -> None:
    left, right = np.meshgrid(np.arange(300), np.arange(300))
    found = pair_hash(left.ravel(), right.ravel(), 10)
    counts = np.bincount(found, minlength=1024)
    assert len(counts) == 1024
    # Poisson with mean 88: five standard deviations either side.
    assert counts.min() > 41
    assert counts.max() < 135


def test_saved_and_loaded_it_is_the_same(model: NgramClassifier) -> None:
    content = saved(model)
    loaded = NgramClassifier.load(content, V, (L, C))
    texts = make_texts(20)
    assert np.array_equal(loaded.logits(texts, 1), model.logits(texts, 1))
    assert saved(loaded) == content


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x05\x06" + bytes(18)])
def test_something_else_is_refused(content: bytes) -> None:
    with pytest.raises(ModelError, match="first stage cannot be read"):
        NgramClassifier.load(content, V, (L, C))


def test_what_does_not_fit_is_refused(model: NgramClassifier) -> None:
    for vocabulary, shape in ((V - 1, (L, C)), (V, (L + 1, C)), (V, (L, C + 1))):
        with pytest.raises(ModelError, match="does not fit"):
            NgramClassifier.load(saved(model), vocabulary, shape)
    for wrong in (
        replace(model, table=model.table[:-1]),
        replace(model, head=model.head[:, 1:]),
        replace(model, bias=model.bias[0]),
    ):
        with pytest.raises(ModelError, match="does not fit"):
            NgramClassifier.load(saved(wrong), V, (L, C))
    with pytest.raises(ModelError, match="arrays of float64"):
        NgramClassifier.load(saved(replace(model, table=model.table * 1.5)), V, (L, C))


def test_pickled_objects_are_refused(model: NgramClassifier) -> None:
    stream = BytesIO()
    np.savez(stream, table=np.array([object()]))
    with pytest.raises(ModelError, match="cannot be read"):
        NgramClassifier.load(stream.getvalue(), V, (L, C))
