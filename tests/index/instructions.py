"""The same kernels, compiled for processors with more and with fewer instructions."""

from __future__ import annotations

from typing import Any

import pytest
from numba import njit

from lfm2_colbert_rag.index.compressed.kernels import levels, unpacking
from lfm2_colbert_rag.index.jit import simd

LACKING = {"this processor's": (), "AVX2": ("VNNI",), "any processor's": ("VNNI", "AVX2")}


def compiled_for(kind: str, monkeypatch: pytest.MonkeyPatch, *functions: Any) -> list[Any]:
    """Compile functions as for a processor that lacks some instructions."""
    for name in LACKING[kind]:
        for module in (simd, levels, unpacking):
            monkeypatch.setattr(module, name, ("+no such feature",), raising=False)
    return [njit(function) for function in functions]
