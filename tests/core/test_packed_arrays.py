"""Arrays packed in one file are read, or refused."""

from __future__ import annotations

import io

import numpy as np
import pytest

from cybersecqwen.core.errors import ModelError
from cybersecqwen.core.option_ranker import OptionRanker
from cybersecqwen.core.packed_arrays import packed_arrays
from cybersecqwen.core.technique_words import TechniqueWords


def packed() -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, first=np.arange(999), second=np.ones((2, 3)))
    return stream.getvalue()


def single() -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.arange(3))
    return stream.getvalue()


def flipped(content: bytes) -> bytes:
    return content[:80] + bytes(255 - byte for byte in content[80:120]) + content[120:]


def test_what_was_packed_is_read() -> None:
    arrays = packed_arrays(packed())
    assert list(arrays) == ["first", "second"]
    assert arrays["first"].tolist() == list(range(999))


DAMAGED = [b"", b"PK\x03\x04", b"no arrays", packed()[:-30], flipped(packed()), single()]


@pytest.mark.parametrize("content", DAMAGED)
def test_damage_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="damaged arrays"):
        packed_arrays(content)
    with pytest.raises(ModelError, match="words"):
        TechniqueWords(content, 3)
    with pytest.raises(ModelError, match="no reader"):
        OptionRanker.read(content, ("a",), "ranker")
