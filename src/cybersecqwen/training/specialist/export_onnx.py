"""From a trained encoder to a small ONNX file, and what that costs."""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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

from cybersecqwen.core.errors import ModelError
from cybersecqwen.core.files import atomic_write
from cybersecqwen.training.specialist.quantize_per_token import (
    multiplied_by_head,
    scale_per_token,
    store_heads_small,
)
from cybersecqwen.training.specialist.reading_encoder import ReadingEncoder
from cybersecqwen.training.specialist.rows import TokenisedTexts
from cybersecqwen.training.specialist.supervision import pad

_ATTENTION = "MultiHeadAttention"
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


class Exported(nn.Module):
    """What answers, as the exporter wants it: token ids and a mask in, tensors out.

    Args:
        encoder: Its attention becomes one node a layer.
        answer: ``states, attention_mask -> outputs``, from what the encoder leaves.
        outputs: Names of the outputs, in order.
    """

    def __init__(self, encoder: ReadingEncoder, answer: nn.Module, outputs: Sequence[str]) -> None:
        super().__init__()
        self.encoder = encoder
        self.answer = answer
        self.outputs = tuple(outputs)
        self._lengths = torch.zeros(0)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Trace the encoder and the answer; padding is on the right."""
        self._lengths = attention_mask.sum(1).to(torch.int32)  # (B,)
        states = self.encoder(input_ids, attention_mask).last_hidden_state
        made: Tensor | tuple[Tensor, ...] = self.answer(states, attention_mask)
        return made

    def mix(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Tensor,
        heads: int,
        dropout: float,
    ) -> Tensor:
        """Stand in for attention while the graph is traced; see ``reading_encoder.Mixer``."""
        scale = (query.shape[-1] // heads) ** -0.5
        made: Tensor = _FusedAttention.apply(query, key, value, self._lengths, heads, float(scale))
        return made


def export_onnx(model: Exported, float_path: Path, int8_path: Path) -> None:
    """Write ``model`` as a fused float32 graph and as an int8 one.

    Both take ``input_ids`` and ``attention_mask``, int64 (B, T), padded on the right. Weights are
    int8 per output channel with 7 bits used: processors without VNNI add pairs of products in 16
    bits, where 8-bit weights would saturate. Activations are int8 per token, so that a text's
    answer does not depend on its batch.
    """
    with tempfile.TemporaryDirectory() as folder:
        whole, small = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        _write_graph(model.cpu().eval(), whole)
        kept = [node.name for node in multiplied_by_head(onnx.load(whole).graph)]
        with _quiet():
            quantize_dynamic(
                whole,
                small,
                per_channel=True,
                reduce_range=True,
                weight_type=QuantType.QInt8,
                nodes_to_exclude=kept,
                extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
            )
        graph = onnx.load(small)
        scale_per_token(graph)
        store_heads_small(graph)
        onnx.save(graph, small)
        for source, target in ((whole, float_path), (small, int8_path)):
            with atomic_write(target) as stream:
                stream.write(source.read_bytes())


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what the exporter and the quantiser advise of any graph from whoever trains a model.

    Heads and scale are constants of ours, though they are traced as Python numbers; the graph is
    optimised before it is quantised.
    """
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", torch.jit.TracerWarning)
            yield
    finally:
        logging.disable(logging.NOTSET)


def _write_graph(model: Exported, path: Path) -> None:
    before = model.encoder.mix
    model.encoder.mix = model.mix
    axes = {0: "batch", 1: "tokens"}
    try:
        with _quiet():
            torch.onnx.export(
                model,
                (torch.ones(2, 8, dtype=torch.int64), torch.ones(2, 8, dtype=torch.int64)),
                str(path),
                input_names=["input_ids", "attention_mask"],
                output_names=list(model.outputs),
                dynamic_axes={
                    "input_ids": axes,
                    "attention_mask": axes,
                    **{name: axes if name == "added" else {0: "batch"} for name in model.outputs},
                },
                opset_version=17,
                dynamo=False,
                custom_opsets={"com.microsoft": 1},
            )
    finally:
        model.encoder.mix = before
    graph = onnx.load(path)
    for node in graph.graph.node:
        if node.op_type == _ATTENTION:
            node.input[3] = ""
    onnx.save(graph, path)
    options = FusionOptions("bert")
    # On a CPU the fused kernel takes several times as long as the addition and the norm apart.
    options.enable_skip_layer_norm = False
    optimize_model(
        str(path), model_type="bert", optimization_options=options, opt_level=1
    ).save_model_to_file(str(path))


def predict_onnx(path: Path, texts: TokenisedTexts, output: str = "logits") -> NDArray[np.float32]:
    """Return an output of an exported graph for N texts, (N, ...), on the CPU.

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
        logits = session.run([output], batch)[0]
        if result is None:
            result = np.empty((len(order), *logits.shape[1:]), dtype=np.float32)
        result[rows] = logits
    if result is None:
        raise ModelError(f"{path}: no texts to check the exported graph with")
    return result
