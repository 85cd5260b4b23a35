"""An ONNX graph under construction, whose weights go straight to a file beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

MICROSOFT = "com.microsoft"
"""ONNX Runtime's own operators; stable, and in every build of it."""

_OPSET = 21
_MICROSOFT_OPSET = 1
_IR_VERSION = 10  # what onnxruntime 1.18 reads
_PAGE = 4096  # ONNX Runtime maps external data; offsets on page borders let it
_INLINE_BYTES = 1024


class Graph:
    """Collects nodes and weights; use it in a ``with`` block, then :meth:`save`.

    Memory stays bounded: a weight is written as soon as it is given, and only its place is kept.

    Args:
        data: the file for the weights; made anew.

    Example:
        >>> with Graph(folder / "model.data") as graph:                 # doctest: +SKIP
        ...     doubled = graph.node("Mul", "x", graph.constant(np.float32(2)))
    """

    def __init__(self, data: Path) -> None:
        self._path = data
        self._stream = data.open("wb")
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: list[onnx.TensorProto] = []
        self._constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}

    def __enter__(self) -> Graph:
        """Use the graph in a ``with`` block, which closes the file of weights."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file of weights."""
        self._stream.close()

    def node(self, op: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add an operator with one output.

        Args:
            op: its name.
            inputs: names of values; ``""`` leaves an optional input out.
            domain: of the operator; ``""`` is ONNX itself.
            attributes: its attributes.

        Returns:
            The name of its output.
        """
        return self.nodes(op, *inputs, outputs=1, domain=domain, **attributes)[0]

    def output(self, name: str, value: str) -> None:
        """Give a value the name under which the graph puts it out."""
        self._nodes.append(helper.make_node("Identity", [value], [name], name=name))

    def nodes(
        self, op: str, *inputs: str, outputs: int, domain: str = "", **attributes: Any
    ) -> list[str]:
        """Add an operator with several outputs; see :meth:`node`."""
        name = f"{op}_{len(self._nodes)}"
        names = [name] if outputs == 1 else [f"{name}_{i}" for i in range(outputs)]
        self._nodes.append(
            helper.make_node(op, list(inputs), names, name=name, domain=domain, **attributes)
        )
        return names

    def constant(self, value: npt.ArrayLike) -> str:
        """Add a small constant; equal ones are stored once.

        Args:
            value: a numpy scalar or array; its dtype counts.
        """
        array = np.asarray(value)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._constants:
            self._constants[key] = name = f"constant_{len(self._constants)}"
            self._initializers.append(numpy_helper.from_array(array, name))
        return self._constants[key]

    def weight(self, name: str, array: npt.NDArray[Any]) -> str:
        """Add a weight of any size.

        Args:
            name: unique in the graph.
            array: float32, float16, int8, uint8, or uint16 holding the bits of bfloat16.
        """
        if array.nbytes <= _INLINE_BYTES and array.dtype != np.uint16:
            self._initializers.append(numpy_helper.from_array(array, name))
            return name
        return self.weight_blocks(name, array.shape, array.dtype, [array])

    def weight_blocks(
        self,
        name: str,
        shape: Sequence[int],
        dtype: npt.DTypeLike,
        blocks: Iterable[npt.NDArray[Any]],
    ) -> str:
        """Add a weight that is too large to hold, given in consecutive blocks of rows."""
        self._stream.write(b"\0" * (-self._stream.tell() % _PAGE))
        start = self._stream.tell()
        for block in blocks:
            self._stream.write(np.ascontiguousarray(block).data)
        tensor = onnx.TensorProto()
        tensor.name = name
        tensor.data_type = self._data_type(np.dtype(dtype))
        tensor.dims.extend(shape)
        tensor.data_location = onnx.TensorProto.EXTERNAL
        for key, value in (
            ("location", self._path.name),
            ("offset", start),
            ("length", self._stream.tell() - start),
        ):
            tensor.external_data.add(key=key, value=str(value))
        self._initializers.append(tensor)
        return name

    def save(
        self,
        path: Path,
        *,
        inputs: Sequence[tuple[str, npt.DTypeLike, Sequence[int | str]]],
        output: tuple[str, npt.DTypeLike, Sequence[int | str]],
    ) -> None:
        """Check the graph and write it.

        Args:
            path: the file, in the folder of the weights.
            inputs: name, dtype and shape of each input; a string is a size known at run time.
            output: name, dtype and shape of the output.
        """
        self._stream.flush()
        model = helper.make_model(
            helper.make_graph(
                self._nodes,
                "encoder",
                [self._value(*value) for value in inputs],
                [self._value(*output)],
                self._initializers,
            ),
            opset_imports=[
                helper.make_opsetid("", _OPSET),
                helper.make_opsetid(MICROSOFT, _MICROSOFT_OPSET),
            ],
            ir_version=_IR_VERSION,
            producer_name="lfm2-colbert-rag",
        )
        path.write_bytes(model.SerializeToString())

    def _value(self, name: str, dtype: npt.DTypeLike, shape: Sequence[int | str]) -> Any:
        return helper.make_tensor_value_info(name, self._data_type(np.dtype(dtype)), list(shape))

    def _data_type(self, dtype: np.dtype[Any]) -> int:
        # numpy knows no bfloat16; its bits travel as uint16, which no weight here is otherwise.
        if dtype == np.uint16:
            return int(onnx.TensorProto.BFLOAT16)
        return int(helper.np_dtype_to_tensor_dtype(dtype))
