from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")
pytestmark = pytest.mark.torch

import onnx  # noqa: E402
from tokenizers import Tokenizer  # noqa: E402

from cybersecqwen.core.errors import ModelError  # noqa: E402
from cybersecqwen.training.recipes.specialist import Supervision  # noqa: E402
from cybersecqwen.training.specialist.encoder import (  # noqa: E402
    CweEncoder,
    change_embeddings,
    keep_layers,
    load_base,
    narrow_feed_forward,
)
from cybersecqwen.training.specialist.export_onnx import export_onnx, predict_onnx  # noqa: E402
from cybersecqwen.training.specialist.package import exported  # noqa: E402
from cybersecqwen.training.specialist.reading_encoder import (  # noqa: E402
    attend,
    attend_once,
    scaled_dot_product,
)
from cybersecqwen.training.specialist.rows import NO_LABEL, encode  # noqa: E402
from cybersecqwen.training.specialist.supervision import (  # noqa: E402
    SoftLabels,
    average,
    predict,
    soften,
)
from cybersecqwen.training.specialist.vocabulary import prune  # noqa: E402

TEXTS = ["script in a browser page", "heap buffer write", "query", "a union in the table zz"]


def make(base_folder: Path, supervision: Supervision | None = None) -> CweEncoder:
    torch.manual_seed(1)
    base = load_base(str(base_folder))
    model = CweEncoder(base.encoder, base.hidden, 2, 5, supervision or Supervision())
    torch.nn.init.normal_(model.own.weight, std=0.1)
    return model.eval()


def test_padding_changes_no_answer(base_folder: Path) -> None:
    model = make(base_folder)
    texts = encode(Tokenizer.from_file(str(base_folder / "tokenizer.json")), TEXTS, 32)
    together = predict(model, texts)
    ids = torch.from_numpy(texts[2].astype(np.int64))[None]
    alone = model.logits(ids, torch.ones_like(ids))
    np.testing.assert_allclose(together[2], alone.detach().numpy()[0], atol=1e-5)
    assert together.shape == (4, 2, 5)


def test_exported_graphs_answer_as_the_model_does(base_folder: Path, tmp_path: Path) -> None:
    model = make(base_folder)
    texts = encode(Tokenizer.from_file(str(base_folder / "tokenizer.json")), TEXTS, 32)
    export_onnx(exported(model), tmp_path / "float.onnx", tmp_path / "int8.onnx")
    expected = predict(model, texts)
    np.testing.assert_allclose(predict_onnx(tmp_path / "float.onnx", texts), expected, atol=1e-4)
    quantised = predict_onnx(tmp_path / "int8.onnx", texts)
    assert 0 < np.abs(quantised - expected).max() < 0.25 * expected.std() * 5
    assert (tmp_path / "int8.onnx").stat().st_size < (tmp_path / "float.onnx").stat().st_size


def test_a_query_alone_finds_what_attention_over_keys_and_values_finds(base_folder: Path) -> None:
    torch.manual_seed(2)
    layer = make(base_folder).encoder.encoder.layer[0]
    for part in (layer.attention.self.key, layer.attention.self.value):
        torch.nn.init.normal_(part.bias)
    read = torch.randn(3, 7, layer.attention.self.key.in_features)
    mask = (torch.arange(7) < torch.tensor([[7], [4], [1]]))[:, None, None, :]
    expected = attend(layer, read[:, :1], read, mask, scaled_dot_product)
    found = attend_once(layer, read[:, :1], read, mask)
    assert expected.std() > 0.1
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_what_each_head_multiplies_by_is_stored_in_bytes(base_folder: Path, tmp_path: Path) -> None:
    export_onnx(exported(make(base_folder)), tmp_path / "float.onnx", tmp_path / "int8.onnx")
    for name, kind in (("float", onnx.TensorProto.FLOAT), ("int8", onnx.TensorProto.INT8)):
        graph = onnx.load(tmp_path / f"{name}.onnx").graph
        by_head = [item for item in graph.initializer if len(item.dims) == 3 and item.dims[1] > 1]
        assert [item.data_type for item in by_head] == [kind, kind]


def test_pruned_vocabulary_reads_kept_words_alike(base_folder: Path) -> None:
    model = make(base_folder)
    tokenizer = Tokenizer.from_file(str(base_folder / "tokenizer.json"))
    before = predict(model, encode(tokenizer, TEXTS, 32))
    smaller, kept = prune(tokenizer, TEXTS, 1)
    assert smaller.get_vocab_size() == len(kept) < tokenizer.get_vocab_size()
    assert smaller.token_to_id("never") is None  # no text uses it
    assert smaller.token_to_id("z") is not None  # but any word can be spelt
    change_embeddings(model.encoder, kept)
    after = predict(model, encode(smaller, TEXTS, 32))
    np.testing.assert_allclose(after, before, atol=1e-5)
    assert smaller.encode("never").tokens == ["[CLS]", "n", "##e", "##v", "##e", "##r", "[SEP]"]


def test_layers_are_kept_in_order_and_checked(base_folder: Path) -> None:
    encoder = load_base(str(base_folder)).encoder
    last = encoder.encoder.layer[1]
    keep_layers(encoder, [1])
    assert list(encoder.encoder.layer) == [last]
    with pytest.raises(ModelError, match="layers 0 to 0"):
        keep_layers(encoder, [3])


def test_a_missing_base_says_so(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot load this base encoder"):
        load_base(str(tmp_path / "nothing"))


def test_hard_loss_is_weighted_cross_entropy_over_given_labels(base_folder: Path) -> None:
    model = make(base_folder)
    ids = torch.tensor([[2, 40, 3], [2, 41, 3]])
    mask = torch.ones_like(ids)
    labels = torch.tensor([[1, NO_LABEL], [0, 2]])
    weight = torch.tensor([1.0, 0.25])
    made = model(input_ids=ids, attention_mask=mask, labels=labels, weight=weight)
    nll = -made["logits"].log_softmax(-1)
    by_hand = (nll[0, 0, 1] + 0.25 * nll[1, 0, 0] + 0.25 * nll[1, 1, 2]) / 1.5
    assert made["loss"].item() == pytest.approx(by_hand.item(), rel=1e-5)


def test_soft_loss_replaces_missing_labels(base_folder: Path) -> None:
    model = make(base_folder, Supervision(soft=1.0))
    ids = torch.tensor([[2, 40, 3]])
    soft_ids = torch.tensor([[[0, 3], [1, 2]]])
    shares = torch.tensor([[[0.75, 0.25], [0.5, 0.5]]])
    made = model(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        labels=torch.tensor([[1, NO_LABEL]]),
        weight=torch.ones(1),
        soft_ids=soft_ids,
        soft_probabilities=shares,
    )
    nll = -made["logits"].log_softmax(-1)[0]
    first = 0.75 * nll[0, 0] + 0.25 * nll[0, 3]
    second = 0.5 * nll[1, 1] + 0.5 * nll[1, 2]
    assert made["loss"].item() == pytest.approx((first + second).item() / 2, rel=1e-5)


def test_teachers_average_to_a_distribution(base_folder: Path) -> None:
    model = make(base_folder)
    texts = encode(Tokenizer.from_file(str(base_folder / "tokenizer.json")), TEXTS, 32)
    one = soften(model, texts)
    logits = predict(model, texts)
    shares = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    got = np.take_along_axis(shares, one.ids.astype(np.int64), -1)
    np.testing.assert_allclose(one.probabilities, got, atol=2e-3)
    flipped = SoftLabels(one.ids, one.probabilities[..., ::-1].copy())
    mean = average([one, flipped], 5)
    assert mean.probabilities.sum(-1) == pytest.approx(np.ones((4, 2)), abs=5e-3)


def test_the_feed_forward_parts_lose_their_smallest_neurons(
    base_folder: Path, tmp_path: Path
) -> None:
    model = make(base_folder)
    texts = encode(Tokenizer.from_file(str(base_folder / "tokenizer.json")), TEXTS, 32)
    width = model.encoder.config.intermediate_size
    with torch.no_grad():
        for layer in model.encoder.encoder.layer:
            layer.output.dense.weight[:, : width // 2] = 0
    expected = predict(model, texts)
    narrow_feed_forward(model.encoder, width - width // 2)
    np.testing.assert_allclose(predict(model, texts), expected, atol=1e-5)
    export_onnx(exported(model), tmp_path / "float.onnx", tmp_path / "int8.onnx")
    np.testing.assert_allclose(predict_onnx(tmp_path / "float.onnx", texts), expected, atol=1e-4)
    with pytest.raises(ModelError, match="the base has"):
        narrow_feed_forward(model.encoder, width)
