"""The BERT backbone as an ONNX graph, and that of XLM-RoBERTa, which counts positions otherwise."""

from __future__ import annotations

from collections.abc import Callable

from ..bert_config import BertConfig
from .layers import Layers
from .linear import add_float
from .xlm_roberta_positions import positions_after_padding


class BertGraph:
    """Writes a BERT, RoBERTa or XLM-RoBERTa backbone into a graph.

    Args:
        layers: what it is made of; its tensors are those of :func:`bert_shapes`.
        config: the backbone's shape.
    """

    def __init__(self, layers: Layers, config: BertConfig) -> None:
        self._layers = layers
        self._graph = layers.graph
        self._config = config

    def build(self, report: Callable[[int], None]) -> str:
        """Write the backbone: ids ``(B, S)`` and mask ``(B, S)`` to ``(B, S, hidden)``.

        Args:
            report: called with 1 after the embeddings and after each layer.
        """
        x = self._norm(self._embed(), "embeddings.LayerNorm")
        report(1)
        for number in range(self._config.num_layers):
            name = f"encoder.layer.{number}"
            h = self._graph.node("Add", x, self._attention(x, f"{name}.attention"))
            x = self._norm(h, f"{name}.attention.output.LayerNorm")
            h = self._graph.node("Add", x, self._feed_forward(x, name))
            x = self._norm(h, f"{name}.output.LayerNorm")
            report(1)
        return x

    def _norm(self, x: str, name: str) -> str:
        return self._layers.layer_norm(x, name, self._config.norm_eps)

    def _embed(self) -> str:
        """Add words, positions, and the one token type that texts have."""
        graph, layers, config = self._graph, self._layers, self._config
        counted = (
            layers.positions()
            if config.positions == "from zero"
            else positions_after_padding(graph, config.padding_id)
        )
        table = layers.array("embeddings.position_embeddings.weight")
        table = table + layers.array("embeddings.token_type_embeddings.weight")[0]
        rows = add_float(graph, "embeddings.positions", table, layers.precision.floats)
        words = layers.embed("embeddings.word_embeddings")
        return graph.node("Add", words, graph.node("Gather", rows, counted))

    def _attention(self, x: str, name: str) -> str:
        graph, layers = self._graph, self._layers
        parts = [f"{name}.self.{part}" for part in ("query", "key", "value")]
        joined = layers.linear(x, *parts, bias=True)
        q, k, v = graph.nodes("Split", joined, outputs=3, axis=-1, num_outputs=3)
        mixed = layers.attention(q, k, v, self._config.num_attention_heads)
        return layers.linear(mixed, f"{name}.output.dense", bias=True)

    def _feed_forward(self, x: str, name: str) -> str:
        layers = self._layers
        h = layers.linear(x, f"{name}.intermediate.dense", bias=True)
        h = layers.activation(h, self._config.activation)
        return layers.linear(h, f"{name}.output.dense", bias=True)


def bert_shapes(config: BertConfig) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the backbone's tensors by name, those for sentence vectors left out."""
    hidden, inner = config.hidden_size, config.feed_forward_size
    matrices = {
        "attention.self.query": (hidden, hidden),
        "attention.self.key": (hidden, hidden),
        "attention.self.value": (hidden, hidden),
        "attention.output.dense": (hidden, hidden),
        "intermediate.dense": (inner, hidden),
        "output.dense": (hidden, inner),
    }
    norms = ("attention.output.LayerNorm", "output.LayerNorm")
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (config.vocab_size, hidden),
        "embeddings.position_embeddings.weight": (config.position_rows, hidden),
        "embeddings.token_type_embeddings.weight": (config.token_types, hidden),
        "embeddings.LayerNorm.weight": (hidden,),
        "embeddings.LayerNorm.bias": (hidden,),
    }
    for number in range(config.num_layers):
        layer = f"encoder.layer.{number}"
        for name, shape in matrices.items():
            shapes[f"{layer}.{name}.weight"] = shape
            shapes[f"{layer}.{name}.bias"] = shape[:1]
        for name in norms:
            shapes[f"{layer}.{name}.weight"] = shapes[f"{layer}.{name}.bias"] = (hidden,)
    return shapes
