"""The way from hidden states to token vectors, as operators of a graph."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..checkpoint import Checkpoint, StoredTensor
from ..layouts import DenseHead
from ..rounding import FloatType
from ..weights import check_tensors, read_array
from .activations import activate
from .graph import Graph
from .linear import FloatLinear, add_float


def project(graph: Graph, x: str, checkpoint: Checkpoint, floats: FloatType) -> str:
    """Apply all projections, always in float, and give each row unit length.

    Args:
        graph: where the operators go.
        x: hidden states ``(B, S, hidden)``.
        checkpoint: whose projections these are.
        floats: how their weights are stored.

    Returns:
        ``(B, S, dim)``.

    Raises:
        ModelFormatError: the weights do not fit the configuration.
    """
    for number, head in enumerate(checkpoint.heads):
        x = _head(graph, x, head, checkpoint.head_tensors()[number], f"head.{number}", floats)
    last = graph.constant(np.array([-1], dtype=np.int64))
    length = graph.node("ReduceL2", x, last, keepdims=1)
    length = graph.node("Max", length, graph.constant(np.float32(1e-12)))
    return graph.node("Div", x, length)


def _head(
    graph: Graph,
    x: str,
    head: DenseHead,
    tensors: Mapping[str, StoredTensor],
    name: str,
    floats: FloatType,
) -> str:
    check_tensors(tensors, _head_shapes(head), head.folder)
    weights = {key: read_array(tensor) for key, tensor in tensors.items()}
    matrix = FloatLinear(floats)
    out = matrix.multiply(graph, x, f"{name}.linear", weights["linear.weight"])
    if head.bias:
        bias = add_float(graph, f"{name}.bias", weights["linear.bias"], floats)
        out = graph.node("Add", out, bias)
    if head.activation != "identity":
        out = activate(graph, out, head.activation)
    if not head.residual:
        return out
    if "residual.weight" in weights:
        x = matrix.multiply(graph, x, f"{name}.residual", weights["residual.weight"])
    return graph.node("Add", out, x)


def _head_shapes(head: DenseHead) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {"linear.weight": (head.out_features, head.in_features)}
    if head.bias:
        shapes["linear.bias"] = (head.out_features,)
    if head.residual and head.in_features != head.out_features:
        shapes["residual.weight"] = (head.out_features, head.in_features)
    return shapes
