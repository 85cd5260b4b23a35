"""How fast weights change in the course of training: one cycle.

Smith and Topin, "Super-Convergence", 2018, as torch's ``OneCycleLR`` has it: from a 25th of the
highest rate up along a cosine, and down to next to nothing along another.
"""

from __future__ import annotations

import math

WARM_UP = 0.1
_START, _END = 1 / 25, 1 / 250_000


def rate(progress: float) -> float:
    """Return the share of the highest rate.

    Args:
        progress: how much of training is done, 0 to 1.

    Example:
        >>> [round(rate(progress), 2) for progress in (0, 0.05, 0.1, 0.55, 1)]
        [0.04, 0.52, 1.0, 0.5, 0.0]
    """
    if progress < WARM_UP:
        return _between(_START, 1.0, progress / WARM_UP)
    return _between(1.0, _END, min(1.0, (progress - WARM_UP) / (1 - WARM_UP)))


def _between(start: float, end: float, way: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * way)) / 2
