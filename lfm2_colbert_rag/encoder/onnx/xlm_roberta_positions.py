"""How XLM-RoBERTa and its kin count positions."""

from __future__ import annotations

import numpy as np

from .graph import Graph
from .layers import INPUT_IDS


def positions_after_padding(graph: Graph, padding_id: int) -> str:
    """Number the tokens of each text: ``(B, S)`` int64.

    The first has the number after that of the padding token, which itself has its own wherever it
    stands, and does not count.
    """
    padding = graph.constant(np.int64(padding_id))
    counts = graph.node("Not", graph.node("Equal", INPUT_IDS, padding))
    counts = graph.node("Cast", counts, to=7)  # TensorProto.INT64
    number = graph.node("CumSum", counts, graph.constant(np.int64(1)))
    return graph.node("Add", graph.node("Mul", number, counts), padding)
