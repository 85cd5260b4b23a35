# mypy: ignore-errors
"""The inner loops of a compressed index, compiled by numba when first used.

No kernel starts threads: each works on the part that it is given and releases the interpreter's
lock, so that :mod:`..workers` can run several side by side. What belongs together comes as one of
the named tuples of :mod:`..structs`.
"""

from __future__ import annotations

from ...jit.simd import OFFSET, TOGETHER
from .clusters import cluster
from .codes import codes_below
from .coding import decode_many, encode
from .probing import multiply, probe, to_bytes
from .refining import centroid_similarities, clear_near, mark_near, refine_windows
from .scoring import score_windows
from .spans import decode_spans, encode_spans
from .voting import select, vote

__all__ = [
    "OFFSET",
    "TOGETHER",
    "centroid_similarities",
    "clear_near",
    "cluster",
    "codes_below",
    "decode_many",
    "decode_spans",
    "encode",
    "encode_spans",
    "mark_near",
    "multiply",
    "probe",
    "refine_windows",
    "score_windows",
    "select",
    "to_bytes",
    "vote",
]
