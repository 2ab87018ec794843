"""From a trained encoder to a small ONNX file, and what that costs."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.transformers.fusion_options import FusionOptions
from onnxruntime.transformers.optimizer import optimize_model
from torch import Tensor, nn
from transformers import AttentionInterface, BertModel

from cybersecqwen.core.errors import ModelError
from cybersecqwen.core.files import atomic_write
from cybersecqwen.training.specialist.encoder import CweEncoder
from cybersecqwen.training.specialist.quantize_per_token import scale_per_token
from cybersecqwen.training.specialist.rows import TokenisedTexts
from cybersecqwen.training.specialist.supervision import pad

_ATTENTION = "MultiHeadAttention"
_FUSED = "onnx_fused"
_ROWS_AT_ONCE = 64


class _FusedAttention(torch.autograd.Function):
    """Multi-head attention that becomes one node of ONNX Runtime's own in the exported graph."""

    @staticmethod
    def forward(
        ctx: Any,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        lengths: Tensor,
        heads: int,
        scale: float,
    ) -> Tensor:
        # Only the shape matters while the graph is traced.
        return query.clone()

    @staticmethod
    def symbolic(
        g: Any, query: Any, key: Any, value: Any, lengths: Any, heads: int, scale: float
    ) -> Any:
        # The fourth input, the projections' bias, is left out once the graph is written.
        return g.op(
            f"com.microsoft::{_ATTENTION}",
            query,
            key,
            value,
            query,
            lengths,
            num_heads_i=heads,
            scale_f=scale,
        ).setType(query.type())


class _Logits(nn.Module):
    """The part of a CweEncoder that answers, as the exporter wants it: tensors in, tensor out.

    Args:
        model: The encoder.
        fused: Whether attention becomes one node. Then, where the encoder is of BERT's kind, its
            last layer is run for the first token alone, the only one that the head reads.
    """

    def __init__(self, model: CweEncoder, fused: bool) -> None:
        super().__init__()
        self.model = model
        self.fused = fused
        self.lengths = torch.zeros(0)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        self.lengths = attention_mask.sum(1).to(torch.int32)  # (B,): padding is on the right
        encoder = self.model.encoder
        if not self.fused:
            return self.model.logits(input_ids, attention_mask)
        if not isinstance(encoder, BertModel):
            return self.model.head(encoder(input_ids=input_ids).last_hidden_state[:, 0])
        states = encoder.embeddings(input_ids=input_ids)
        *layers, last = encoder.encoder.layer
        for layer in layers:
            made = layer(states)
            states = made[0] if isinstance(made, tuple) else made
        return self.model.head(self._first_token(last, states)[:, 0])

    def _first_token(self, layer: nn.Module, states: Tensor) -> Tensor:
        """Return a BERT layer's output for the first token alone, (B, 1, D)."""
        attention = layer.attention.self
        first = states[:, :1]
        heads = attention.num_attention_heads
        scale = attention.attention_head_size**-0.5
        parts = (attention.query(first), attention.key(states), attention.value(states))
        read = _FusedAttention.apply(*parts, self.lengths, heads, scale)
        attended = layer.attention.output(read, first)
        return layer.output(layer.intermediate(attended), attended)

    def attend(
        self,
        module: nn.Module,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: None,
        **options: Any,
    ) -> tuple[Tensor, None]:
        """Stand in for the attention of a Hugging Face model; (B, H, T, d) in, (B, T, H, d) out."""
        heads = int(query.shape[1])
        flat = [part.transpose(1, 2).flatten(2) for part in (query, key, value)]  # (B, T, H * d)
        scale = float(options["scaling"] or query.shape[-1] ** -0.5)
        made = _FusedAttention.apply(*flat, self.lengths, heads, scale)
        return made.unflatten(-1, (heads, -1)), None


def export_onnx(model: CweEncoder, float_path: Path, int8_path: Path) -> None:
    """Write ``model`` as a fused float32 graph and as an int8 one.

    Both take ``input_ids`` and ``attention_mask``, int64 (B, T), padded on the right, and give
    ``logits``, float32 (B, L, C). Weights are int8 per output channel with 7 bits used:
    processors without VNNI add pairs of products in 16 bits, where 8-bit weights would saturate.
    Activations are int8 per token, so that a text's logits do not depend on its batch.
    """
    with tempfile.TemporaryDirectory() as folder:
        whole, small = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        _write_graph(model.cpu().eval(), whole)
        quantize_dynamic(
            whole,
            small,
            per_channel=True,
            reduce_range=True,
            weight_type=QuantType.QInt8,
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        )
        graph = onnx.load(small)
        scale_per_token(graph)
        onnx.save(graph, small)
        for source, target in ((whole, float_path), (small, int8_path)):
            with atomic_write(target) as stream:
                stream.write(source.read_bytes())


def _write_graph(model: CweEncoder, path: Path) -> None:
    _trace(_Logits(model, fused=True), path)
    graph = onnx.load(path)
    attention = [node for node in graph.graph.node if node.op_type == _ATTENTION]
    if attention:
        for node in attention:
            node.input[3] = ""
        onnx.save(graph, path)
    else:  # an encoder whose attention is of its own kind, such as MPNet's
        _trace(_Logits(model, fused=False), path)
    options = FusionOptions("bert")
    # On a CPU the fused kernel takes several times as long as the addition and the norm apart.
    options.enable_skip_layer_norm = False
    optimize_model(
        str(path), model_type="bert", optimization_options=options, opt_level=1
    ).save_model_to_file(str(path))


def _trace(module: _Logits, path: Path) -> None:
    encoder = module.model.encoder
    before = encoder.config._attn_implementation
    if module.fused:
        AttentionInterface.register(_FUSED, module.attend)
        encoder.set_attn_implementation(_FUSED)
    axes = {0: "batch", 1: "tokens"}
    try:
        torch.onnx.export(
            module,
            (torch.ones(2, 8, dtype=torch.int64), torch.ones(2, 8, dtype=torch.int64)),
            str(path),
            input_names=["input_ids", "attention_mask"],
            output_names=["logits"],
            dynamic_axes={"input_ids": axes, "attention_mask": axes, "logits": {0: "batch"}},
            opset_version=17,
            dynamo=False,
            custom_opsets={"com.microsoft": 1},
        )
    finally:
        encoder.set_attn_implementation(before)


def predict_onnx(path: Path, texts: TokenisedTexts) -> NDArray[np.float32]:
    """Return (N, L, C) logits of an exported graph on the CPU.

    Raises:
        ModelError: The file is no graph of ours.
    """
    try:
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime's own exceptions share no base below this
        raise ModelError(f"{path}: not an ONNX graph that runs here: {error}") from error
    order = np.argsort(np.diff(texts.starts), kind="stable")
    result: NDArray[np.float32] | None = None
    for start in range(0, len(order), _ROWS_AT_ONCE):
        rows = order[start : start + _ROWS_AT_ONCE]
        batch = {key: value.numpy() for key, value in pad(texts, rows.tolist()).items()}
        logits = session.run(["logits"], batch)[0]
        if result is None:
            result = np.empty((len(order), *logits.shape[1:]), dtype=np.float32)
        result[rows] = logits
    if result is None:
        raise ModelError(f"{path}: no texts to check the exported graph with")
    return result
