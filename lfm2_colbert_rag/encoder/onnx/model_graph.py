"""A checkpoint as a graph: its backbone, of whatever kind, and its projections."""

from __future__ import annotations

from collections.abc import Callable

from ..bert_config import BertConfig
from ..checkpoint import Checkpoint
from ..config import Lfm2Config
from .bert_graph import BertGraph, bert_shapes
from .graph import Graph
from .layers import VECTORS, Layers, Precision
from .lfm2_graph import Lfm2Graph, lfm2_shapes
from .modernbert_graph import ModernBertGraph, modernbert_shapes
from .projection import project


def build_model(
    graph: Graph, checkpoint: Checkpoint, precision: Precision, report: Callable[[int], None]
) -> None:
    """Write the whole model: ids ``(B, S)`` and mask ``(B, S)`` to ``(B, S, dim)``.

    Args:
        graph: where it goes.
        checkpoint: one whose backbone has a graph.
        precision: how its weights are stored.
        report: called with 1 after the embeddings, each layer, and the projection.

    Raises:
        ModelFormatError: the weights do not fit the configuration.
    """
    hidden = _backbone(graph, checkpoint, precision).build(report)
    graph.output(VECTORS, project(graph, hidden, checkpoint, precision.floats))
    report(1)


def _backbone(
    graph: Graph, checkpoint: Checkpoint, precision: Precision
) -> Lfm2Graph | BertGraph | ModernBertGraph:
    config = checkpoint.graph_config
    if isinstance(config, Lfm2Config):
        layers = Layers(graph, checkpoint, precision, lfm2_shapes(config))
        zeroed = checkpoint.framing.masked_positions == "zeroed"
        return Lfm2Graph(layers, config, zeroed=zeroed)
    if isinstance(config, BertConfig):
        return BertGraph(Layers(graph, checkpoint, precision, bert_shapes(config)), config)
    shapes = modernbert_shapes(config)
    return ModernBertGraph(Layers(graph, checkpoint, precision, shapes), config)
