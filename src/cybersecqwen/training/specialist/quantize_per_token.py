"""Per-token activation scales for a graph that onnxruntime quantised dynamically.

``quantize_dynamic`` scales the activations of a whole batch by one number, so that a text's logits
depend on the texts beside it. Here each token is quantised in steps of 1/127 of its own largest
magnitude around 128, and the product multiplied by that magnitude after: a text's logits are its
own, and closer to those in float.

Matrices of which each head has its own are multiplied in float, being used once a text; they are
stored as int8 all the same, and made float when the graph is loaded.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import onnx
from onnx import NodeProto, helper, numpy_helper

_STEP, _ZERO, _LEAST, _FLAT = "token_step", "token_zero", "token_least", "token_flat"
_GELUS = {"Gelu", "BiasGelu", "FastGelu"}


def scale_per_token(model: onnx.ModelProto) -> None:
    """Rewrite every DynamicQuantizeLinear and the MatMulIntegers behind it, in place.

    Opset 17 (ReduceMax takes its axes as an attribute). Each MatMulInteger must go through one
    Cast and one Mul with the product of both scales, as ``quantize_dynamic`` writes them.
    """
    graph = model.graph
    users: dict[str, list[NodeProto]] = defaultdict(list)
    maker: dict[str, NodeProto] = {}
    for node in graph.node:
        for name in node.input:
            users[name].append(node)
        for name in node.output:
            maker[name] = node
    kept = {id(node): node for node in graph.node}
    made: list[NodeProto] = []
    for node in list(kept.values()):
        if node.op_type != "DynamicQuantizeLinear":
            continue
        (source,), (quantised, scale, _) = node.input, node.output
        del kept[id(node)]
        gelu = source in maker and maker[source].op_type in _GELUS
        made += _quantise(source, quantised, at_least_zero=gelu)
        for product in users[quantised]:
            (cast,) = users[product.output[0]]
            (rescaled,) = users[cast.output[0]]
            (scales,) = (maker[name] for name in rescaled.input if name != cast.output[0])
            (weight_scale,) = (name for name in scales.input if name != scale)
            for old in (product, cast, rescaled, scales):
                kept.pop(id(old), None)
            made += _multiply(product, weight_scale, f"{quantised}_largest", rescaled.output[0])
    graph.initializer.extend(
        numpy_helper.from_array(value, name)
        for name, value in (
            (_STEP, np.array(1 / 127, dtype=np.float32)),
            (_ZERO, np.array(128, dtype=np.uint8)),
            (_LEAST, np.array(1e-6, dtype=np.float32)),
            (_FLAT, np.array([-1], dtype=np.int64)),
        )
    )
    ordered = _ordered([*kept.values(), *made], graph)
    del graph.node[:]
    graph.node.extend(ordered)


def multiplied_by_head(graph: onnx.GraphProto) -> list[NodeProto]:
    """Return the products with constant matrices that every head has one of, (H, I, O)."""
    by_head = {item.name for item in graph.initializer if len(item.dims) == 3}
    return [node for node in graph.node if node.op_type == "MatMul" and node.input[1] in by_head]


def store_heads_small(model: onnx.ModelProto) -> None:
    """Store the matrices of ``multiplied_by_head`` as int8 with a scale an output, in place.

    ONNX Runtime works the float matrix out once, when it loads the graph.
    """
    graph = model.graph
    stored = {item.name: item for item in graph.initializer}
    made: list[NodeProto] = []
    for node in multiplied_by_head(graph):
        name = node.input[1]
        matrices = numpy_helper.to_array(stored[name])  # (H, I, O)
        scale = np.maximum(np.abs(matrices).max(axis=1, keepdims=True), 1e-12) / 127  # (H, 1, O)
        units = np.round(matrices / scale).astype(np.int8)
        stored[name].CopyFrom(numpy_helper.from_array(units, name))
        graph.initializer.append(numpy_helper.from_array(scale.astype(np.float32), f"{name}_scale"))
        node.input[1] = f"{name}_float"
        made += [
            helper.make_node("Cast", [name], [f"{name}_units"], to=onnx.TensorProto.FLOAT),
            helper.make_node("Mul", [f"{name}_units", f"{name}_scale"], [f"{name}_float"]),
        ]
    ordered = _ordered([*made, *graph.node], graph)
    del graph.node[:]
    graph.node.extend(ordered)


def _quantise(source: str, target: str, at_least_zero: bool) -> list[NodeProto]:
    """Quantise each row of ``source`` (..., D) by its own scale, a per-axis one over all rows.

    What comes out of a GELU is never far below zero, so its largest value is its largest magnitude.
    """
    largest = f"{target}_largest"  # (..., 1)
    size = source if at_least_zero else f"{target}_size"
    nodes = [] if at_least_zero else [helper.make_node("Abs", [source], [size])]
    return [
        *nodes,
        helper.make_node("ReduceMax", [size], [f"{target}_max"], axes=[-1], keepdims=1),
        helper.make_node("Max", [f"{target}_max", _LEAST], [largest]),
        helper.make_node("Mul", [largest, _STEP], [f"{target}_steps"]),
        helper.make_node("Reshape", [f"{target}_steps", _FLAT], [f"{target}_scale"]),  # (rows,)
        helper.make_node("Shape", [f"{target}_scale"], [f"{target}_rows"]),
        helper.make_node(
            "ConstantOfShape",
            [f"{target}_rows"],
            [f"{target}_zeros"],
            value=helper.make_tensor("zero", onnx.TensorProto.UINT8, [1], [128]),
        ),
        helper.make_node("Flatten", [source], [f"{target}_flat"], axis=-1),  # (rows, D)
        helper.make_node(
            "QuantizeLinear",
            [f"{target}_flat", f"{target}_scale", f"{target}_zeros"],
            [f"{target}_units"],
            axis=0,
        ),
        helper.make_node("Shape", [source], [f"{target}_shape"]),
        helper.make_node("Reshape", [f"{target}_units", f"{target}_shape"], [target]),
    ]


def _multiply(product: NodeProto, weight_scale: str, largest: str, target: str) -> list[NodeProto]:
    activation, weight, _, weight_zero = product.input
    inputs = [activation, weight, _STEP, weight_scale, _ZERO, weight_zero]
    return [
        helper.make_node(
            "MatMulIntegerToFloat", inputs, [f"{target}_unit"], domain="com.microsoft"
        ),
        helper.make_node("Mul", [f"{target}_unit", largest], [target]),
    ]


def _ordered(nodes: list[NodeProto], graph: onnx.GraphProto) -> list[NodeProto]:
    """Sort nodes so that each comes after those whose results it takes."""
    known = {""} | {item.name for item in (*graph.input, *graph.initializer)}
    ordered: list[NodeProto] = []
    while nodes:
        ready = [node for node in nodes if known.issuperset(node.input)]
        if not ready:
            raise ValueError("the graph has a cycle")
        for node in ready:
            known.update(node.output)
        ordered += ready
        done = set(map(id, ready))
        nodes = [node for node in nodes if id(node) not in done]
    return ordered
