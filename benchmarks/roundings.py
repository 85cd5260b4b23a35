"""Ways to round the matrices of a model, as ONNX Runtime multiplies by them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lfm2_colbert_rag.encoder.checkpoint import Checkpoint
from lfm2_colbert_rag.encoder.onnx.converted import DATA_FILE, GRAPH_FILE
from lfm2_colbert_rag.encoder.onnx.graph import MICROSOFT, Graph
from lfm2_colbert_rag.encoder.onnx.layers import ATTENTION_MASK, INPUT_IDS, VECTORS, Precision
from lfm2_colbert_rag.encoder.onnx.linear import (
    FloatLinear,
    Linear,
    Matrix,
    RowInt8Linear,
    quantize_rows,
)
from lfm2_colbert_rag.encoder.onnx.model_graph import build_model


@dataclass(frozen=True)
class BatchInt8Linear:
    """Activations with one scale for the whole batch: ONNX Runtime's own dynamic quantisation."""

    weight_range: int = 63

    def multiply(self, graph: Graph, x: str, name: str, weight: Matrix) -> str:
        """Multiply rows by a matrix."""
        integers, scale = quantize_rows(weight, self.weight_range)
        return graph.node(
            "DynamicQuantizeMatMul",
            x,
            graph.weight(name, np.ascontiguousarray(integers.T)),
            graph.weight(f"{name}.scale", scale),
            graph.constant(np.zeros(len(scale), dtype=np.int8)),
            domain=MICROSOFT,
        )


@dataclass(frozen=True)
class UnsignedInt8Linear:
    """All 8 bits of the weights, stored unsigned, which cannot saturate but is slower."""

    def multiply(self, graph: Graph, x: str, name: str, weight: Matrix) -> str:
        """Multiply rows by a matrix."""
        largest = graph.node(
            "ReduceMax", graph.node("Abs", x), graph.constant(np.array([-1])), keepdims=1
        )
        steps = graph.node("Div", graph.constant(np.float32(127)), largest)
        one, zero = graph.constant(np.float32(1)), graph.constant(np.uint8(128))
        integers, scale = quantize_rows(weight, 127)
        unsigned = (integers.T.astype(np.int16) + 128).astype(np.uint8)
        product = graph.node(
            "MatMulIntegerToFloat",
            graph.node("QuantizeLinear", graph.node("Mul", x, steps), one, zero),
            graph.weight(name, np.ascontiguousarray(unsigned)),
            one,
            graph.weight(f"{name}.scale", scale),
            zero,
            graph.constant(np.full(len(scale), 128, dtype=np.uint8)),
            domain=MICROSOFT,
        )
        return graph.node("Div", product, steps)


@dataclass(frozen=True)
class BlockLinear:
    """A scale for each block of a weight's row: ``MatMulNBits``, integer arithmetic."""

    bits: int
    block: int

    def multiply(self, graph: Graph, x: str, name: str, weight: Matrix) -> str:
        """Multiply rows by a matrix."""
        rows, columns = weight.shape
        blocks = weight.reshape(rows, columns // self.block, self.block)
        half = 2 ** (self.bits - 1)
        scale = np.abs(blocks).max(axis=-1) / np.float32(half - 1)
        scale[scale == 0] = 1
        packed = (np.rint(blocks / scale[..., None]) + half).astype(np.uint8)
        if self.bits == 4:
            packed = packed[..., 0::2] | (packed[..., 1::2] << 4)
        return graph.node(
            "MatMulNBits",
            x,
            graph.weight(name, packed),
            graph.weight(f"{name}.scale", scale.astype(np.float32)),
            domain=MICROSOFT,
            K=columns,
            N=rows,
            bits=self.bits,
            block_size=self.block,
            accuracy_level=4,
        )


@dataclass(frozen=True)
class FloatDownLinear:
    """One way for all matrices but the feed-forward's last, which stays in float."""

    other: Linear

    def multiply(self, graph: Graph, x: str, name: str, weight: Matrix) -> str:
        """Multiply rows by a matrix."""
        chosen = FloatLinear() if name.endswith("w2") else self.other
        return chosen.multiply(graph, x, name, weight)


SHIPPED = "int8, a scale a row (shipped)"
WAYS: dict[str, Precision] = {
    "float32": Precision(FloatLinear()),
    SHIPPED: Precision(RowInt8Linear(), int8_embeddings=True),
    "int8, a scale a row, weights of 8 bits unsigned": Precision(
        UnsignedInt8Linear(), int8_embeddings=True
    ),
    "int8, a scale a batch": Precision(BatchInt8Linear(), int8_embeddings=True),
    "int8, a scale a row, last matrix of each layer float": Precision(
        FloatDownLinear(RowInt8Linear()), int8_embeddings=True
    ),
    "8 bits in blocks of 32": Precision(BlockLinear(8, 32), int8_embeddings=True),
    "8 bits in blocks of 128": Precision(BlockLinear(8, 128), int8_embeddings=True),
    "4 bits in blocks of 32": Precision(BlockLinear(4, 32), int8_embeddings=True),
}


def write(checkpoint: Checkpoint, precision: Precision, folder: Path) -> Path:
    """Write one graph; it stays there for the next run."""
    folder.mkdir(parents=True, exist_ok=True)
    with Graph(folder / DATA_FILE) as graph:
        build_model(graph, checkpoint, precision, lambda finished: None)
        shape = ("batch", "length")
        graph.save(
            folder / GRAPH_FILE,
            inputs=[(INPUT_IDS, "int64", shape), (ATTENTION_MASK, "bool", shape)],
            output=(VECTORS, "float32", (*shape, checkpoint.dim)),
        )
    return folder / GRAPH_FILE
