"""Multiplication by a weight matrix, in float or in int8."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from ..rounding import FloatType, quantize_rows, to_float_type
from .graph import MICROSOFT, Graph

Matrix: TypeAlias = npt.NDArray[np.float32]

INT8_WEIGHT_RANGE = 63
"""Weights take 7 of the 8 bits.

Without VNNI (any CPU before 2019, and AMD's before Zen 4) int8 products are added in pairs in 16
bits (``vpmaddubsw``), where 255 * 127 * 2 would saturate and 255 * 63 * 2 does not.
"""

_ACTIVATION_RANGE = 127
_ZERO_POINT = 128  # activations are uint8, as ONNX Runtime's fastest kernels want them


class Linear(Protocol):
    """A way to store weight matrices and multiply by them."""

    def multiply(self, graph: Graph, x: str, name: str, weight: Matrix) -> str:
        """Multiply rows by a matrix.

        Args:
            graph: where the operators go.
            x: name of a float32 value ``(..., in)``.
            name: of the weight, unique in the graph.
            weight: ``(out, in)`` float32, as checkpoints hold it.

        Returns:
            Name of ``x @ weight.T``: ``(..., out)`` float32.
        """
        ...


@dataclass(frozen=True)
class FloatLinear:
    """Float weights, float32 arithmetic.

    Attributes:
        stored_as: how the file holds them. The half-sized ones are widened when a session is
            made: the file is half as large, the memory of a running session is not.
    """

    stored_as: FloatType = "float32"

    def multiply(self, graph: Graph, x: str, name: str, weight: Matrix) -> str:
        """Multiply rows by a matrix; see :class:`Linear`."""
        return graph.node("MatMul", x, add_float(graph, name, weight.T, self.stored_as))


@dataclass(frozen=True)
class RowInt8Linear:
    """Int8 weights with a scale an output, uint8 activations with a scale a *row*.

    A scale for the whole batch would be simpler and a little faster, but then one large
    activation (the first position of a language model has some) costs all others their
    precision, and a vector would depend on what else is in the batch.
    """

    weight_range: int = INT8_WEIGHT_RANGE

    def multiply(self, graph: Graph, x: str, name: str, weight: Matrix) -> str:
        """Multiply rows by a matrix; see :class:`Linear`."""
        largest = graph.node(
            "Max",
            graph.node(
                "ReduceMax", graph.node("Abs", x), graph.constant(np.array([-1])), keepdims=1
            ),
            graph.constant(np.float32(1e-30)),
        )
        steps = graph.node("Div", graph.constant(np.float32(_ACTIVATION_RANGE)), largest)
        zero = graph.constant(np.uint8(_ZERO_POINT))
        one = graph.constant(np.float32(1))
        rounded = graph.node("QuantizeLinear", graph.node("Mul", x, steps), one, zero)
        integers, scale = quantize_rows(weight, self.weight_range)
        product = graph.node(
            "MatMulIntegerToFloat",
            rounded,
            graph.weight(name, np.ascontiguousarray(integers.T)),
            one,
            graph.weight(f"{name}.scale", scale),
            zero,
            domain=MICROSOFT,
        )
        return graph.node("Div", product, steps)


def add_float(graph: Graph, name: str, array: npt.NDArray[np.float32], stored_as: FloatType) -> str:
    """Add a weight in a float type; what it names in the graph is float32."""
    if stored_as == "float32":
        return graph.weight(name, np.ascontiguousarray(array))
    stored = graph.weight(f"{name}.{stored_as}", to_float_type(array, stored_as))
    return graph.node("Cast", stored, to=1)  # TensorProto.FLOAT; folded when a session is made
