"""ONNX Runtime, told to send nothing.

Since 1.29 its wheels for Linux report sessions and hashes of models to their makers unless they are
told not to; those for Windows always did.
"""

from __future__ import annotations

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read when it is loaded, here and in child processes

import onnxruntime

onnxruntime.disable_telemetry_events()  # somebody else may have loaded it before

__all__ = ["onnxruntime"]
