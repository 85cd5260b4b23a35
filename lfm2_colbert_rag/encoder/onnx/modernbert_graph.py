"""The ModernBERT backbone as an ONNX graph."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..modernbert_config import ModernBertConfig
from .layers import ATTENTION_MASK, Layers, ints

_NEVER = -1e4  # added to a score: what ONNX Runtime adds where nothing may be attended to


class ModernBertGraph:
    """Writes a ModernBERT backbone into a graph.

    Args:
        layers: what it is made of; its tensors are those of :func:`modernbert_shapes`.
        config: the backbone's shape.
    """

    def __init__(self, layers: Layers, config: ModernBertConfig) -> None:
        self._layers = layers
        self._graph = layers.graph
        self._config = config

    def build(self, report: Callable[[int], None]) -> str:
        """Write the backbone: ids ``(B, S)`` and mask ``(B, S)`` to ``(B, S, hidden)``.

        Args:
            report: called with 1 after the embeddings and after each layer.
        """
        graph, layers, config = self._graph, self._layers, self._config
        positions = layers.positions()
        everywhere = layers.rope(positions, config.head_dim, config.global_theta)
        nearby = layers.rope(positions, config.head_dim, config.local_theta)
        distant, seeing = self._windows(positions)
        x = self._norm(layers.embed("embeddings.tok_embeddings"), "embeddings.norm")
        report(1)
        for number, kind in enumerate(config.layer_types):
            name = f"layers.{number}"
            # What comes into the first layer is normalised already.
            h = self._norm(x, f"{name}.attn_norm") if number else x
            if kind == "full_attention":
                mixed = self._mixed(h, f"{name}.attn", everywhere)
            else:
                mixed = self._mixed(h, f"{name}.attn", nearby, distant)
                mixed = graph.node("Mul", mixed, seeing)
            h = layers.linear(mixed, f"{name}.attn.Wo", bias=config.attention_bias)
            x = graph.node("Add", x, h)
            h = self._feed_forward(self._norm(x, f"{name}.mlp_norm"), f"{name}.mlp")
            x = graph.node("Add", x, h)
            report(1)
        return self._norm(x, "final_norm")

    def _norm(self, x: str, name: str) -> str:
        config = self._config
        return self._layers.layer_norm(x, name, config.norm_eps, bias=config.norm_bias)

    def _windows(self, positions: str) -> tuple[str, str]:
        """Tell what layers that slide cannot see.

        Returns:
            What is added to the scores of distant positions, ``(1, 1, S, S)``; and ``(B, S, 1)``, 0
            for positions that see none at all, as in the middle of a long query expansion.
        """
        graph = self._graph
        column = graph.node("Unsqueeze", positions, ints(graph, 1))
        distance = graph.node("Abs", graph.node("Sub", column, positions))
        far = graph.node("Greater", distance, graph.constant(np.int64(self._config.reach)))
        never, nothing = graph.constant(np.float32(_NEVER)), graph.constant(np.float32(0))
        added = graph.node("Where", far, never, nothing)
        kept = graph.node("Cast", graph.node("Unsqueeze", ATTENTION_MASK, ints(graph, -1)), to=1)
        near = graph.node("Cast", graph.node("Not", far), to=1)
        seen = graph.node("Cast", graph.node("MatMul", near, kept), to=9)  # TensorProto.BOOL
        return graph.node("Unsqueeze", added, ints(graph, 0, 1)), graph.node("Cast", seen, to=1)

    def _mixed(self, h: str, name: str, rope: tuple[str, str], added: str = "") -> str:
        graph, layers, config = self._graph, self._layers, self._config
        joined = layers.linear(h, f"{name}.Wqkv", bias=config.attention_bias)
        q, k, v = graph.nodes("Split", joined, outputs=3, axis=-1, num_outputs=3)
        q, k = layers.rotate(q, rope), layers.rotate(k, rope)
        return layers.attention(q, k, v, config.num_attention_heads, added=added)

    def _feed_forward(self, h: str, name: str) -> str:
        graph, layers, bias = self._graph, self._layers, self._config.feed_forward_bias
        joined = layers.linear(h, f"{name}.Wi", bias=bias)
        gate, value = graph.nodes("Split", joined, outputs=2, axis=-1, num_outputs=2)
        h = graph.node("Mul", layers.activation(gate, self._config.activation), value)
        return layers.linear(h, f"{name}.Wo", bias=bias)


def modernbert_shapes(config: ModernBertConfig) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the backbone's tensors by name."""
    hidden, inner = config.hidden_size, config.feed_forward_size
    attention = {"attn.Wqkv": (3 * hidden, hidden), "attn.Wo": (hidden, hidden)}
    feed_forward = {"mlp.Wi": (2 * inner, hidden), "mlp.Wo": (hidden, inner)}
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.tok_embeddings.weight": (config.vocab_size, hidden)
    }
    norms = ["embeddings.norm", "final_norm"]
    for number in range(config.num_layers):
        layer = f"layers.{number}"
        norms += [f"{layer}.attn_norm"] if number else []
        norms += [f"{layer}.mlp_norm"]
        for parts, bias in (
            (attention, config.attention_bias),
            (feed_forward, config.feed_forward_bias),
        ):
            for name, shape in parts.items():
                shapes[f"{layer}.{name}.weight"] = shape
                if bias:
                    shapes[f"{layer}.{name}.bias"] = shape[:1]
    for name in norms:
        shapes[f"{name}.weight"] = (hidden,)
        if config.norm_bias:
            shapes[f"{name}.bias"] = (hidden,)
    return shapes
