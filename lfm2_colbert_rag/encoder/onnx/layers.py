"""What the graphs of all backbones are made of: matrices, norms, attention, embeddings.

All sequences of a batch have one length, so that nothing is padded and no vector can depend on the
batch it was computed in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..checkpoint import Checkpoint, StoredTensor
from ..foreign_values import ForeignActivation
from ..rounding import FloatType, quantize_rows, to_float_type
from ..weights import check_tensors, read_array, read_rows
from .activations import activate
from .dtypes import OnnxDType
from .graph import MICROSOFT, Graph
from .linear import (
    FloatLinear,
    Linear,
    RowInt8Linear,
    add_float,
)

INPUT_IDS = "input_ids"
ATTENTION_MASK = "attention_mask"
VECTORS = "vectors"

_EMBEDDING_RANGE = 127  # never multiplied in integers, so all of int8 is free
_BLOCK_ROWS = 4096


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


class Layers:
    """Writes parts of a checkpoint into a graph.

    Args:
        graph: where they go.
        checkpoint: one whose backbone has a graph.
        precision: how its weights are stored.
        shapes: of the backbone's tensors, by name. What else a checkpoint of another library
            holds was for training, and is left alone.

    Raises:
        ModelFormatError: tensors are missing, or of the wrong shape; of LFM2 also unexpected.
    """

    def __init__(
        self,
        graph: Graph,
        checkpoint: Checkpoint,
        precision: Precision,
        shapes: Mapping[str, tuple[int, ...]],
    ) -> None:
        self.graph = graph
        self.precision = precision
        self._checkpoint = checkpoint
        self._tensors = checkpoint.backbone_tensors()
        if not checkpoint.is_lfm2:
            self._tensors = {name: one for name, one in self._tensors.items() if name in shapes}
        check_tensors(self._tensors, shapes, checkpoint.folder)

    def array(self, name: str) -> npt.NDArray[np.float32]:
        """Read a tensor of the backbone."""
        return read_array(self._tensors[name])

    def weight(self, name: str) -> str:
        """Add a tensor that is no matrix of a layer."""
        return add_float(self.graph, name, self.array(name), self.precision.floats)

    def linear(self, x: str, *names: str, bias: bool = False) -> str:
        """Multiply by one matrix, or by several that share their input, side by side.

        Args:
            x: ``(..., in)``.
            names: of the matrices, without ``.weight``.
            bias: whether each has a ``.bias``, to be added.

        Returns:
            ``(..., out)``, where ``out`` is the sum of all.
        """
        weight, name = self._joined(names, "weight"), "+".join(names)
        out = self.precision.linear.multiply(self.graph, x, name, weight)
        if not bias:
            return out
        added = add_float(
            self.graph, f"{name}.bias", self._joined(names, "bias"), self.precision.floats
        )
        return self.graph.node("Add", out, added)

    def rms_norm(self, x: str, name: str, epsilon: float) -> str:
        """Divide by the root of the mean square, and scale."""
        return self.graph.node(
            "SimplifiedLayerNormalization",  # RMSNorm, by the name ONNX Runtime has always had
            x,
            self.weight(f"{name}.weight"),
            epsilon=epsilon,
            axis=-1,
            stash_type=1,
        )

    def layer_norm(self, x: str, name: str, epsilon: float, *, bias: bool = True) -> str:
        """Subtract the mean, divide by the standard deviation, scale, and shift with a bias."""
        weights = [self.weight(f"{name}.weight")]
        weights += [self.weight(f"{name}.bias")] if bias else []
        return self.graph.node("LayerNormalization", x, *weights, epsilon=epsilon, axis=-1)

    def activation(self, x: str, name: ForeignActivation) -> str:
        """Apply the activation of a feed-forward."""
        return activate(self.graph, x, name)

    def embed(self, name: str) -> str:
        """Look the ids up in the table of that name: ``(B, S, hidden)``."""
        graph, tensor = self.graph, self._tensors[f"{name}.weight"]
        if not self.precision.int8_embeddings:
            stored_as = self.precision.floats
            table = graph.weight_blocks(
                name,
                tensor.shape,
                to_float_type(np.empty(0, np.float32), stored_as).dtype,
                (to_float_type(rows, stored_as) for rows in _blocks(tensor)),
            )
            return graph.node("Cast", graph.node("Gather", table, INPUT_IDS), to=1)
        scales: list[npt.NDArray[np.float32]] = []
        table = graph.weight_blocks(name, tensor.shape, np.int8, _quantized_blocks(tensor, scales))
        scale = graph.weight(f"{name}.scale", np.concatenate(scales)[:, None])
        rows = graph.node("Cast", graph.node("Gather", table, INPUT_IDS), to=1)
        return graph.node("Mul", rows, graph.node("Gather", scale, INPUT_IDS))

    def attention(
        self, q: str, k: str, v: str, heads: int, *, causal: bool = False, added: str = ""
    ) -> str:
        """Let each position attend to those of the mask.

        Args:
            q: ``(B, S, heads * head_dim)``.
            k: the same.
            v: the same.
            heads: how many heads there are.
            causal: whether none attends to later ones.
            added: what is added to the scores, ``(1, 1, S, S)``; nothing by default.

        Returns:
            ``(B, S, heads * head_dim)``.
        """
        mask = self.graph.node("Cast", ATTENTION_MASK, to=6)  # TensorProto.INT32
        return self.graph.node(
            "MultiHeadAttention",
            *(q, k, v, "", mask, *([added] if added else [])),
            domain=MICROSOFT,
            num_heads=heads,
            unidirectional=int(causal),
        )

    def positions(self) -> str:
        """Number the positions of a sequence from zero: ``(S,)`` int64."""
        graph = self.graph
        size = graph.node("Gather", graph.node("Shape", INPUT_IDS), graph.constant(np.int64(1)))
        return graph.node("Range", graph.constant(np.int64(0)), size, graph.constant(np.int64(1)))

    def rope(self, positions: str, head_dim: int, theta: float) -> tuple[str, str]:
        """Tabulate cosine and sine ``(S, head_dim / 2)`` of rotary positions."""
        graph = self.graph
        half = np.arange(0, head_dim, 2, dtype=np.float32)
        frequencies = np.float32(theta) ** (-half / np.float32(head_dim))
        column = graph.node("Cast", graph.node("Unsqueeze", positions, ints(graph, 1)), to=1)
        angles = graph.node("Mul", column, graph.constant(frequencies[None].astype(np.float32)))
        return graph.node("Cos", angles), graph.node("Sin", angles)

    def rotate(self, x: str, rope: tuple[str, str]) -> str:
        """Rotate the heads of ``(B, S, heads * head_dim)``; the halves of a head are the pairs."""
        first = ints(self.graph, 0)
        return self.graph.node("RotaryEmbedding", x, first, *rope, domain=MICROSOFT, interleaved=0)

    def _joined(self, names: tuple[str, ...], kind: str) -> npt.NDArray[np.float32]:
        arrays = [self.array(f"{name}.{kind}") for name in names]
        return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def ints(graph: Graph, *values: int) -> str:
    """Add whole numbers as a constant ``(n,)`` int64."""
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
