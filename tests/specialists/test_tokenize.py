from __future__ import annotations

from pathlib import Path

import pytest

from cybersecqwen.core.errors import ModelError
from cybersecqwen.specialists.tokenize import Encoder


def test_cuts_at_the_limit_and_keeps_the_special_tokens(tiny_model: Path) -> None:
    encoder = Encoder((tiny_model / "tokenizer.json").read_bytes(), max_tokens=5)
    short, long = encoder.encode(["sql", "sql " * 50])
    assert short.tolist() == [2, 5, 3]
    assert long.tolist() == [2, 5, 5, 5, 3]


def test_no_tokenizer() -> None:
    with pytest.raises(ModelError, match="tokenizer cannot be read"):
        Encoder(b"{}", 8)
