"""What :mod:`..kernels` do, in numpy: searches use it until the kernels are compiled.

The functions have the names, the arguments and the meaning of the kernels. Scores are worked out in
the same whole numbers, so that a score is the same with either, up to the rounding of sums.
"""

from __future__ import annotations

from .decoding import codes_below, decode_many
from .probing import multiply, probe, to_bytes
from .refining import centroid_similarities, clear_near, mark_near, refine_windows
from .scoring import score_windows
from .spans import decode_spans
from .voting import select, vote

__all__ = [
    "centroid_similarities",
    "clear_near",
    "codes_below",
    "decode_many",
    "decode_spans",
    "mark_near",
    "multiply",
    "probe",
    "refine_windows",
    "score_windows",
    "select",
    "to_bytes",
    "vote",
]
