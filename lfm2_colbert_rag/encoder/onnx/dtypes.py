"""The types that the weights of a graph may have; here, since naming one must not load onnx."""

from __future__ import annotations

from typing import Literal, get_args

OnnxDType = Literal["int8", "float32", "float16", "bfloat16"]
ONNX_DTYPES: tuple[OnnxDType, ...] = get_args(OnnxDType)
