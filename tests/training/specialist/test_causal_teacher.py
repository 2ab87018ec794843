"""A causal language model as a teacher; `test_run.py` and others have one teach a student."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")
pytestmark = pytest.mark.torch

from cybersecqwen.core.errors import ModelError  # noqa: E402
from cybersecqwen.training.lora.tiny_base import write_tiny_base  # noqa: E402
from cybersecqwen.training.recipes.specialist import (  # noqa: E402
    Fit,
    Pretrain,
    Supervision,
)
from cybersecqwen.training.specialist.base_encoder import adapted_base  # noqa: E402
from cybersecqwen.training.specialist.encoder import (  # noqa: E402
    CweEncoder,
    LastTokenEncoder,
    NormedDecoder,
    load_base,
)
from cybersecqwen.training.specialist.rows import encode  # noqa: E402
from cybersecqwen.training.specialist.supervision import predict  # noqa: E402

TEXTS = ["script in a browser page", "heap buffer write", "query", "a union in the table"]


@pytest.fixture(scope="module")
def language_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("language-model")
    write_tiny_base(folder, TEXTS)
    return folder


def test_the_base_is_known_by_its_kind(language_model: Path, base_folder: Path) -> None:
    assert load_base(str(language_model)).causal
    assert not load_base(str(base_folder)).causal


def test_a_text_is_read_at_its_end_whatever_pads_it(language_model: Path) -> None:
    base = load_base(str(language_model))
    model = CweEncoder(LastTokenEncoder(base.encoder), base.hidden, 2, 5, Supervision()).eval()
    torch.nn.init.normal_(model.own.weight, std=0.1)
    tokenizer = base.tokenizer.backend_tokenizer
    texts = encode(tokenizer, TEXTS, 32)
    end = tokenizer.token_to_id("<|endoftext|>")
    assert [text[0] == text[-1] == end for text in map(texts.__getitem__, range(4))] == [True] * 4
    together = predict(model, texts)
    for row in range(4):
        ids = torch.from_numpy(texts[row].astype(np.int64))[None]
        alone = model.logits(ids, torch.ones_like(ids)).detach().numpy()[0]
        np.testing.assert_allclose(together[row], alone, atol=1e-5)
    # Its first token, the same in every text, would tell nothing apart.
    assert np.ptp(together[:, 0, 0]) > 1e-3


def test_normed_states_are_the_same_whatever_pads_them(language_model: Path) -> None:
    base = load_base(str(language_model))
    encoder = NormedDecoder(base.encoder, base.hidden).eval()
    ids = torch.tensor([[1, 2, 3, 0, 0, 0], [4, 5, 6, 7, 8, 9]])
    mask = torch.tensor([[1, 1, 1, 0, 0, 0], [1, 1, 1, 1, 1, 1]])
    with torch.inference_mode():
        together = encoder(ids, mask).last_hidden_state
        alone = encoder(ids[:1, :3], mask[:1, :3]).last_hidden_state
    torch.testing.assert_close(together[:1, :3], alone, atol=1e-5, rtol=0)
    assert not together[0, 3:].any()
    torch.testing.assert_close(together[1].std(-1, correction=0), torch.ones(6), atol=1e-2, rtol=0)


def test_hidden_words_are_not_for_it(language_model: Path, tmp_path: Path) -> None:
    options = Pretrain(Fit(epochs=1, batch_size=8, learning_rate=1e-3))
    with pytest.raises(ModelError, match="cannot be pretrained on hidden words"):
        adapted_base(str(language_model), options, TEXTS, [], tmp_path, 1)
