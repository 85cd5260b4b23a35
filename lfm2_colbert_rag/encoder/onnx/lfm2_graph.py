"""The LFM2 backbone and its projection as an ONNX graph, causal and bidirectional.

The equations are those of :mod:`lfm2_colbert_rag.encoder.lfm2`; the tests compare the two. All
sequences of a batch have one length, so that nothing is padded and no vector can depend on the
batch it was computed in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..checkpoint import Checkpoint, StoredTensor
from ..config import Lfm2Config
from ..layouts import Activation, DenseHead
from ..weights import check_tensors, read_array, read_rows
from .dtypes import FloatType, OnnxDType
from .graph import MICROSOFT, Graph
from .linear import (
    FloatLinear,
    Linear,
    RowInt8Linear,
    add_float,
    quantize_rows,
    to_float_type,
)

INPUT_IDS = "input_ids"
ATTENTION_MASK = "attention_mask"
VECTORS = "vectors"

_EMBEDDING_RANGE = 127  # never multiplied in integers, so all of int8 is free
_BLOCK_ROWS = 4096

# Operator, its domain, and the attributes with which it does what torch does by default.
_ACTIVATIONS: Mapping[Activation, tuple[str, str, Mapping[str, Any]]] = {
    "tanh": ("Tanh", "", {}),
    "relu": ("Relu", "", {}),
    "gelu": ("Gelu", "", {"approximate": "none"}),
    "silu": ("QuickGelu", MICROSOFT, {"alpha": 1.0}),
    "sigmoid": ("Sigmoid", "", {}),
    "leaky_relu": ("LeakyRelu", "", {"alpha": 0.01}),
    "elu": ("Elu", "", {"alpha": 1.0}),
    "mish": ("Mish", "", {}),
    "softplus": ("Softplus", "", {}),
}


@dataclass(frozen=True)
class Precision:
    """How the weights of a graph are stored.

    Attributes:
        linear: of the matrices of every layer.
        floats: of everything else: norms, convolutions, the projection.
        int8_embeddings: whether the embedding table is rounded to int8, a scale a row.
    """

    linear: Linear
    floats: FloatType = "float32"
    int8_embeddings: bool = False


def precision_of(dtype: OnnxDType) -> Precision:
    """Return how the weights of a graph of that dtype are stored."""
    if dtype == "int8":
        return Precision(RowInt8Linear(), int8_embeddings=True)
    return Precision(FloatLinear(dtype), floats=dtype)


class Lfm2Graph:
    """Writes a checkpoint into a graph.

    Args:
        graph: where it goes.
        checkpoint: one with an LFM2 backbone.
        precision: how its weights are stored.
    """

    def __init__(self, graph: Graph, checkpoint: Checkpoint, precision: Precision) -> None:
        self._graph = graph
        self._checkpoint = checkpoint
        self._config = checkpoint.lfm2_config
        self._precision = precision
        self._tensors = checkpoint.backbone_tensors()
        check_tensors(self._tensors, _backbone_shapes(self._config), checkpoint.folder)
        self._zeroed = checkpoint.framing.masked_positions == "zeroed"

    def build(self, report: Callable[[int], None]) -> None:
        """Write the whole model: ids ``(B, S)`` and mask ``(B, S)`` to ``(B, S, dim)``.

        Args:
            report: called with 1 after the embeddings, each layer, and the projection.
        """
        graph = self._graph
        positions = self._positions()
        rope = self._rope(positions)
        kept = graph.node("Cast", graph.node("Unsqueeze", ATTENTION_MASK, _ints(graph, -1)), to=1)
        x = self._embed()
        report(1)
        for number, kind in enumerate(self._config.layer_types):
            prefix = f"layers.{number}"
            h = self._norm(x, f"{prefix}.operator_norm")
            if kind == "full_attention":
                h = self._attention(h, f"{prefix}.self_attn", rope)
            else:
                h = graph.node("Mul", h, kept) if self._zeroed else h
                h = self._short_conv(h, f"{prefix}.conv")
            x = graph.node("Add", x, h)
            h = self._feed_forward(self._norm(x, f"{prefix}.ffn_norm"), f"{prefix}.feed_forward")
            x = graph.node("Add", x, h)
            report(1)
        self._project(self._norm(x, "embedding_norm"))
        report(1)

    def _array(self, name: str) -> npt.NDArray[np.float32]:
        return read_array(self._tensors[name])

    def _linear(self, x: str, *names: str) -> str:
        """Multiply by one matrix, or by several that share their input, side by side."""
        arrays = [self._array(f"{name}.weight") for name in names]
        weight = arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
        return self._precision.linear.multiply(self._graph, x, "+".join(names), weight)

    def _biased(self, x: str, name: str) -> str:
        if not self._config.conv_bias:
            return self._linear(x, name)
        return self._graph.node("Add", self._linear(x, name), self._float(f"{name}.bias"))

    def _float(self, name: str) -> str:
        return add_float(self._graph, name, self._array(name), self._precision.floats)

    def _norm(self, x: str, name: str) -> str:
        return self._graph.node(
            "SimplifiedLayerNormalization",  # RMSNorm, by the name ONNX Runtime has always had
            x,
            self._float(f"{name}.weight"),
            epsilon=self._config.norm_eps,
            axis=-1,
            stash_type=1,
        )

    def _embed(self) -> str:
        graph, tensor = self._graph, self._tensors["embed_tokens.weight"]
        if not self._precision.int8_embeddings:
            stored_as = self._precision.floats
            table = graph.weight_blocks(
                "embed_tokens",
                tensor.shape,
                to_float_type(np.empty(0, np.float32), stored_as).dtype,
                (to_float_type(rows, stored_as) for rows in _blocks(tensor)),
            )
            return graph.node("Cast", graph.node("Gather", table, INPUT_IDS), to=1)
        scales: list[npt.NDArray[np.float32]] = []
        table = graph.weight_blocks(
            "embed_tokens", tensor.shape, np.int8, _quantized_blocks(tensor, scales)
        )
        scale = graph.weight("embed_tokens.scale", np.concatenate(scales)[:, None])
        rows = graph.node("Cast", graph.node("Gather", table, INPUT_IDS), to=1)
        return graph.node("Mul", rows, graph.node("Gather", scale, INPUT_IDS))

    def _positions(self) -> str:
        """Number the positions of a sequence: ``(S,)`` int64."""
        graph = self._graph
        size = graph.node("Gather", graph.node("Shape", INPUT_IDS), graph.constant(np.int64(1)))
        return graph.node("Range", graph.constant(np.int64(0)), size, graph.constant(np.int64(1)))

    def _rope(self, positions: str) -> tuple[str, str, str]:
        """Tabulate cosine and sine ``(S, head_dim / 2)``; the first position goes with them."""
        graph, config = self._graph, self._config
        half = np.arange(0, config.head_dim, 2, dtype=np.float32)
        frequencies = np.float32(config.rope_theta) ** (-half / np.float32(config.head_dim))
        column = graph.node("Cast", graph.node("Unsqueeze", positions, _ints(graph, 1)), to=1)
        angles = graph.node("Mul", column, graph.constant(frequencies[None].astype(np.float32)))
        return graph.node("Cos", angles), graph.node("Sin", angles), _ints(graph, 0)

    def _attention(self, h: str, name: str, rope: tuple[str, str, str]) -> str:
        graph, config = self._graph, self._config
        heads, kv_heads, width = (
            config.num_attention_heads,
            config.num_key_value_heads,
            config.head_dim,
        )
        sizes = graph.constant(np.array([heads, kv_heads, kv_heads]) * width)
        joined = self._linear(h, f"{name}.q_proj", f"{name}.k_proj", f"{name}.v_proj")
        q, k, v = graph.nodes("Split", joined, sizes, outputs=3, axis=-1)
        q = self._rotated(q, f"{name}.q_layernorm", heads, rope)
        k = self._rotated(k, f"{name}.k_layernorm", kv_heads, rope)
        mixed = graph.node(
            "MultiHeadAttention",
            q,
            self._repeated(k),
            self._repeated(v),
            "",
            graph.node("Cast", ATTENTION_MASK, to=6),  # TensorProto.INT32
            domain=MICROSOFT,
            num_heads=heads,
            unidirectional=int(not config.bidirectional),
        )
        return self._linear(mixed, f"{name}.out_proj")

    def _rotated(self, x: str, norm: str, heads: int, rope: tuple[str, str, str]) -> str:
        """Normalise each head of ``(B, S, heads * head_dim)``, then rotate it by its position."""
        graph, width = self._graph, self._config.head_dim
        split = graph.node("Reshape", x, _ints(graph, 0, 0, heads, width))
        joined = graph.node("Reshape", self._norm(split, norm), _ints(graph, 0, 0, heads * width))
        cosine, sine, first = rope
        return graph.node(
            "RotaryEmbedding", joined, first, cosine, sine, domain=MICROSOFT, interleaved=0
        )

    def _repeated(self, x: str) -> str:
        """Give each query head its own copy of the key or value head that it shares."""
        graph, config = self._graph, self._config
        group = config.num_attention_heads // config.num_key_value_heads
        if group == 1:
            return x
        width = config.head_dim
        split = graph.node("Reshape", x, _ints(graph, 0, 0, config.num_key_value_heads, 1, width))
        tiled = graph.node("Tile", split, _ints(graph, 1, 1, 1, group, 1))
        return graph.node("Reshape", tiled, _ints(graph, 0, 0, config.hidden_size))

    def _short_conv(self, h: str, name: str) -> str:
        graph = self._graph
        gate_in, gate_out, z = graph.nodes(
            "Split", self._biased(h, f"{name}.in_proj"), outputs=3, axis=-1, num_outputs=3
        )
        mixed = self._convolved(graph.node("Mul", gate_in, z), f"{name}.conv")
        return self._biased(graph.node("Mul", gate_out, mixed), f"{name}.out_proj")

    def _convolved(self, u: str, name: str) -> str:
        """Mix neighbouring positions of ``(B, S, hidden)``, channel by channel."""
        graph, kernel = self._graph, self._config.conv_kernel
        lookahead = kernel // 2 if self._config.bidirectional else 0
        taps = self._array(f"{name}.weight")[:, 0, :]  # (hidden, kernel)
        pads = np.array([0, kernel - 1 - lookahead, 0, 0, lookahead, 0])
        padded = graph.node("Pad", u, graph.constant(pads))
        total = ""
        for tap in range(kernel):
            # The slice ends as far before the end as other taps reach beyond this one.
            end = np.iinfo(np.int64).max if tap == kernel - 1 else tap - kernel + 1
            moved = graph.node(
                "Slice", padded, _ints(graph, tap), _ints(graph, end), _ints(graph, 1)
            )
            weight = add_float(
                graph, f"{name}.tap{tap}", taps[:, tap].copy(), self._precision.floats
            )
            part = graph.node("Mul", moved, weight)
            total = graph.node("Add", total, part) if total else part
        if not self._config.conv_bias:
            return total
        return graph.node("Add", total, self._float(f"{name}.bias"))

    def _feed_forward(self, h: str, name: str) -> str:
        graph = self._graph
        joined = self._linear(h, f"{name}.w1", f"{name}.w3")
        gate, value = graph.nodes("Split", joined, outputs=2, axis=-1, num_outputs=2)
        # QuickGelu with alpha 1 is SiLU in one pass.
        silu = graph.node("QuickGelu", gate, domain=MICROSOFT, alpha=1.0)
        return self._linear(graph.node("Mul", silu, value), f"{name}.w2")

    def _project(self, x: str) -> None:
        """Apply the projections, always in float, and give each row unit length."""
        graph, checkpoint = self._graph, self._checkpoint
        for number, head in enumerate(checkpoint.heads):
            x = self._head(x, head, checkpoint.head_tensors()[number], f"head.{number}")
        length = graph.node("ReduceL2", x, _ints(graph, -1), keepdims=1)
        length = graph.node("Max", length, graph.constant(np.float32(1e-12)))
        graph.output(VECTORS, graph.node("Div", x, length))

    def _head(self, x: str, head: DenseHead, tensors: Mapping[str, StoredTensor], name: str) -> str:
        graph, floats = self._graph, self._precision.floats
        check_tensors(tensors, _head_shapes(head), head.folder)
        weights = {key: read_array(tensor) for key, tensor in tensors.items()}
        matrix = FloatLinear(floats)
        out = matrix.multiply(graph, x, f"{name}.linear", weights["linear.weight"])
        if head.bias:
            bias = add_float(graph, f"{name}.bias", weights["linear.bias"], floats)
            out = graph.node("Add", out, bias)
        if head.activation != "identity":
            operator, domain, attributes = _ACTIVATIONS[head.activation]
            out = graph.node(operator, out, domain=domain, **attributes)
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


def _backbone_shapes(config: Lfm2Config) -> dict[str, tuple[int, ...]]:
    hidden, inner, head = config.hidden_size, config.feed_forward_size, config.head_dim
    narrow = config.num_key_value_heads * head
    feed_forward = {
        "operator_norm.weight": (hidden,),
        "ffn_norm.weight": (hidden,),
        "feed_forward.w1.weight": (inner, hidden),
        "feed_forward.w3.weight": (inner, hidden),
        "feed_forward.w2.weight": (hidden, inner),
    }
    attention = {
        "self_attn.q_proj.weight": (hidden, hidden),
        "self_attn.k_proj.weight": (narrow, hidden),
        "self_attn.v_proj.weight": (narrow, hidden),
        "self_attn.out_proj.weight": (hidden, hidden),
        "self_attn.q_layernorm.weight": (head,),
        "self_attn.k_layernorm.weight": (head,),
    }
    conv: dict[str, tuple[int, ...]] = {
        "conv.in_proj.weight": (3 * hidden, hidden),
        "conv.out_proj.weight": (hidden, hidden),
        "conv.conv.weight": (hidden, 1, config.conv_kernel),
    }
    if config.conv_bias:
        conv |= {
            "conv.in_proj.bias": (3 * hidden,),
            "conv.out_proj.bias": (hidden,),
            "conv.conv.bias": (hidden,),
        }
    shapes: dict[str, tuple[int, ...]] = {
        "embed_tokens.weight": (config.vocab_size, hidden),
        "embedding_norm.weight": (hidden,),
    }
    for number, kind in enumerate(config.layer_types):
        operator = attention if kind == "full_attention" else conv
        for name, shape in (feed_forward | operator).items():
            shapes[f"layers.{number}.{name}"] = shape
    return shapes


def _ints(graph: Graph, *values: int) -> str:
    return graph.constant(np.array(values, dtype=np.int64))


def _blocks(tensor: StoredTensor) -> Iterator[npt.NDArray[np.float32]]:
    for start in range(0, tensor.shape[0], _BLOCK_ROWS):
        yield read_rows(tensor, start, start + _BLOCK_ROWS)


def _quantized_blocks(
    tensor: StoredTensor, scales: list[npt.NDArray[np.float32]]
) -> Iterator[npt.NDArray[np.int8]]:
    for rows in _blocks(tensor):
        integers, scale = quantize_rows(rows, _EMBEDDING_RANGE)
        scales.append(scale)
        yield integers
