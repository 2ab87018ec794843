from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cybersecqwen.core.errors import ModelError
from cybersecqwen.specialists.tokenize import Encoder, Pieces


def test_cuts_long_texts_into_pieces_that_overlap_and_keep_the_special_tokens(
    tiny_model: Path,
) -> None:
    encoder = Encoder((tiny_model / "tokenizer.json").read_bytes(), max_tokens=5)
    found = encoder.encode(["sql", "sql " * 7])
    assert found.ids[0].tolist() == [2, 5, 3]
    assert all(len(ids) <= 5 and ids[0] == 2 and ids[-1] == 3 for ids in found.ids)
    assert found.owners.tolist() == [0] + [1] * (len(found.ids) - 1)
    assert sum(len(ids) - 2 for ids in found.ids[1:]) >= 7
    whole, spans = encoder.encode_with_spans(["sql", "sql " * 7])
    for ids, start, owner in zip(whole.ids, whole.starts, whole.owners, strict=True):
        assert start + len(ids) <= len(spans[owner])
    assert whole.starts[-1] + len(whole.ids[-1]) == len(spans[1])


def test_what_leads_a_text_stands_before_each_of_its_pieces(tiny_model: Path) -> None:
    encoder = Encoder((tiny_model / "tokenizer.json").read_bytes(), max_tokens=6)
    text = "script sql sql sql sql sql sql"
    lead = encoder.encode([text]).ids[0][1]
    plain, led = encoder.encode([text]), encoder.encode([text], leads=[1])
    assert [ids[1] == lead for ids in plain.ids] == [True] + [False] * (len(plain.ids) - 1)
    assert all(ids[1] == lead and len(ids) <= 6 for ids in led.ids)
    assert led.starts == [0, *(1 + 3 * place for place in range(1, len(led.ids)))]
    assert encoder.encode(["script"], leads=[1]).ids[0].tolist() == [2, lead, 3]


def test_the_piece_that_is_sure_outweighs_those_that_are_not() -> None:
    sure, unsure = [6.0, 0.0, 0.0], [0.1, 0.0, 0.2]
    ids = [np.array([2, 3])] * 3
    pieces = Pieces(ids, np.array([0, 0, 1]), 2, [0, 0, 0])
    joined = pieces.join(np.array([unsure, sure, unsure], np.float32), 1.0)
    shares = np.exp(joined) / np.exp(joined).sum(1, keepdims=True)
    assert shares[0, 0] > 0.95
    np.testing.assert_allclose(joined[1], unsure)


def test_no_tokenizer() -> None:
    with pytest.raises(ModelError, match="tokenizer cannot be read"):
        Encoder(b"{}", 8)
