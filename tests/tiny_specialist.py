"""A model folder small enough to build in a test: embedding, mean over tokens, one linear layer."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from cybersecqwen.core.model_folder import SpecialistConfig

LABELS = ("CWE-79", "CWE-89", "CWE-787", "CWE-125", "CWE-121", "CWE-416")
LABELLERS = ("nvd", "cna")

# Each word speaks for one label per labeller; a text's logits are the mean over its words.
VOTES: dict[str, tuple[str, str]] = {
    "scripting": ("CWE-79", "CWE-79"),
    "sql": ("CWE-89", "CWE-89"),
    "write": ("CWE-787", "CWE-121"),
    "read": ("CWE-125", "CWE-125"),
    "free": ("CWE-416", "CWE-416"),
}
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")


def build_tokenizer(words: Sequence[str]) -> Tokenizer:
    vocabulary = {word: place for place, word in enumerate((*_SPECIAL, *words))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer


def build_graph(table: np.ndarray, labellers: int, labels: int) -> onnx.ModelProto:
    """``table`` (V, L * C) holds each token's logits; the graph takes the mean over real tokens."""
    constants = {
        "table": table.astype(np.float32),
        "axis_last": np.array([2], dtype=np.int64),
        "axis_tokens": np.array([1], dtype=np.int64),
        "shape": np.array([0, labellers, labels], dtype=np.int64),
    }
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["votes"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "axis_last"], ["weight"]),
        helper.make_node("Mul", ["votes", "weight"], ["real"]),
        helper.make_node("ReduceSum", ["real", "axis_tokens"], ["total"], keepdims=0),
        helper.make_node("ReduceSum", ["mask", "axis_tokens"], ["count"], keepdims=1),
        helper.make_node("Div", ["total", "count"], ["mean"]),
        helper.make_node("Reshape", ["mean", "shape"], ["logits"]),
    ]
    tokens = ["batch", "tokens"]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [
            helper.make_tensor_value_info(name, TensorProto.INT64, tokens)
            for name in ("input_ids", "attention_mask")
        ],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", labellers, labels])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def write_model(
    folder: Path,
    *,
    strength: float = 12.0,
    max_tokens: int = 32,
    threshold: float = 0.5,
    format_version: int = 2,
) -> Path:
    """Write a whole model folder. ``strength`` is the logit that a word gives its label."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = build_tokenizer(tuple(VOTES))
    table = np.zeros((tokenizer.get_vocab_size(), len(LABELLERS), len(LABELS)))
    for word, votes in VOTES.items():
        for head, label in enumerate(votes):
            table[tokenizer.token_to_id(word), head, LABELS.index(label)] = strength
    graph = build_graph(table.reshape(len(table), -1), len(LABELLERS), len(LABELS))
    (folder / "model.onnx").write_bytes(graph.SerializeToString())
    (folder / "tokenizer.json").write_text(tokenizer.to_str(), "utf-8")
    (folder / "README.md").write_text("# A model for tests\n", "utf-8")
    config = SpecialistConfig(
        format_version=format_version,
        name="tiny",
        version="1.2.3",
        labels=LABELS,
        labellers=LABELLERS,
        max_tokens=max_tokens,
        temperature={"nvd": 1.0, "cna": 2.0},
        threshold=dict.fromkeys(LABELLERS, threshold),
        sha256={
            name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
            for name in ("model.onnx", "tokenizer.json")
        },
        taxonomy_version="4.19.1",
        provenance={"made_by": "a test"},
    )
    (folder / "config.json").write_bytes(msgspec.json.encode(config))
    return folder
