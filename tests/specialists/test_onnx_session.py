from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cybersecqwen.core.errors import ModelError
from cybersecqwen.specialists.onnx_session import Network, plan_batches


@given(st.lists(st.integers(1, 300), max_size=80), st.integers(1, 600))
def test_plan_holds_every_text_once_within_the_budget(lengths: list[int], budget: int) -> None:
    batches = plan_batches(lengths, budget)
    places = [int(place) for batch in batches for place in batch]
    assert sorted(places) == list(range(len(lengths)))
    for batch in batches:
        padded = len(batch) * max(lengths[place] for place in batch)
        assert padded <= budget or len(batch) == 1


def test_logits_come_back_in_the_order_of_the_texts(tiny_model: Path) -> None:
    network = Network((tiny_model / "model.onnx").read_bytes(), (2, 6), threads=2)
    rng = np.random.default_rng(0)
    texts = [rng.integers(0, 9, size=size) for size in rng.integers(1, 400, size=64)]
    together = network.submit(texts, 1).result()
    alone = np.concatenate([network.run(text, 1) for text in texts])
    np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-5)


def test_graph_that_does_not_fit_the_configuration(tiny_model: Path) -> None:
    with pytest.raises(ModelError, match="2 labellers and 7 labels"):
        Network((tiny_model / "model.onnx").read_bytes(), (2, 7))


def test_no_graph_at_all() -> None:
    with pytest.raises(ModelError, match="cannot load the graph"):
        Network(b"\x00nonsense", (2, 6))
