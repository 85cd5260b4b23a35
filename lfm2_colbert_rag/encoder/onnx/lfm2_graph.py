"""The LFM2 backbone as an ONNX graph, causal and bidirectional.

The equations are those of :mod:`lfm2_colbert_rag.encoder.lfm2`; the tests compare the two.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..config import Lfm2Config
from .layers import ATTENTION_MASK, Layers, ints
from .linear import add_float


class Lfm2Graph:
    """Writes an LFM2 backbone into a graph.

    Args:
        layers: what it is made of; its tensors are those of :func:`lfm2_shapes`.
        config: the backbone's shape.
        zeroed: whether masked positions are blanked at the convolutions.
    """

    def __init__(self, layers: Layers, config: Lfm2Config, *, zeroed: bool = False) -> None:
        self._layers = layers
        self._graph = layers.graph
        self._config = config
        self._zeroed = zeroed

    def build(self, report: Callable[[int], None]) -> str:
        """Write the backbone: ids ``(B, S)`` and mask ``(B, S)`` to ``(B, S, hidden)``.

        Args:
            report: called with 1 after the embeddings and after each layer.
        """
        graph, layers, config = self._graph, self._layers, self._config
        rope = layers.rope(layers.positions(), config.head_dim, config.rope_theta)
        kept = graph.node("Cast", graph.node("Unsqueeze", ATTENTION_MASK, ints(graph, -1)), to=1)
        x = layers.embed("embed_tokens")
        report(1)
        for number, kind in enumerate(config.layer_types):
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
        return self._norm(x, "embedding_norm")

    def _norm(self, x: str, name: str) -> str:
        return self._layers.rms_norm(x, name, self._config.norm_eps)

    def _biased(self, x: str, name: str) -> str:
        return self._layers.linear(x, name, bias=self._config.conv_bias)

    def _attention(self, h: str, name: str, rope: tuple[str, str]) -> str:
        graph, config = self._graph, self._config
        heads, kv_heads, width = (
            config.num_attention_heads,
            config.num_key_value_heads,
            config.head_dim,
        )
        sizes = graph.constant(np.array([heads, kv_heads, kv_heads]) * width)
        joined = self._layers.linear(h, f"{name}.q_proj", f"{name}.k_proj", f"{name}.v_proj")
        q, k, v = graph.nodes("Split", joined, sizes, outputs=3, axis=-1)
        q = self._rotated(q, f"{name}.q_layernorm", heads, rope)
        k = self._rotated(k, f"{name}.k_layernorm", kv_heads, rope)
        mixed = self._layers.attention(
            q, self._repeated(k), self._repeated(v), heads, causal=not config.bidirectional
        )
        return self._layers.linear(mixed, f"{name}.out_proj")

    def _rotated(self, x: str, norm: str, heads: int, rope: tuple[str, str]) -> str:
        """Normalise each head of ``(B, S, heads * head_dim)``, then rotate it by its position."""
        graph, width = self._graph, self._config.head_dim
        split = graph.node("Reshape", x, ints(graph, 0, 0, heads, width))
        joined = graph.node("Reshape", self._norm(split, norm), ints(graph, 0, 0, heads * width))
        return self._layers.rotate(joined, rope)

    def _repeated(self, x: str) -> str:
        """Give each query head its own copy of the key or value head that it shares."""
        graph, config = self._graph, self._config
        group = config.num_attention_heads // config.num_key_value_heads
        if group == 1:
            return x
        width = config.head_dim
        split = graph.node("Reshape", x, ints(graph, 0, 0, config.num_key_value_heads, 1, width))
        tiled = graph.node("Tile", split, ints(graph, 1, 1, 1, group, 1))
        return graph.node("Reshape", tiled, ints(graph, 0, 0, config.hidden_size))

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
        taps = self._layers.array(f"{name}.weight")[:, 0, :]  # (hidden, kernel)
        pads = np.array([0, kernel - 1 - lookahead, 0, 0, lookahead, 0])
        padded = graph.node("Pad", u, graph.constant(pads))
        total = ""
        for tap in range(kernel):
            # The slice ends as far before the end as other taps reach beyond this one.
            end = np.iinfo(np.int64).max if tap == kernel - 1 else tap - kernel + 1
            moved = graph.node("Slice", padded, ints(graph, tap), ints(graph, end), ints(graph, 1))
            weight = add_float(
                graph, f"{name}.tap{tap}", taps[:, tap].copy(), self._layers.precision.floats
            )
            part = graph.node("Mul", moved, weight)
            total = graph.node("Add", total, part) if total else part
        if not self._config.conv_bias:
            return total
        return graph.node("Add", total, self._layers.weight(f"{name}.bias"))

    def _feed_forward(self, h: str, name: str) -> str:
        graph, layers = self._graph, self._layers
        joined = layers.linear(h, f"{name}.w1", f"{name}.w3")
        gate, value = graph.nodes("Split", joined, outputs=2, axis=-1, num_outputs=2)
        return layers.linear(
            graph.node("Mul", layers.activation(gate, "silu"), value), f"{name}.w2"
        )


def lfm2_shapes(config: Lfm2Config) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the backbone's tensors by name."""
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
