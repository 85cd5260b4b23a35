"""What a search looked at, as figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .base import LiveSegment
from .settings import SearchSettings


@dataclass(frozen=True)
class SearchTrace:
    """How one query was answered.

    Attributes:
        method: ``"exact"``, ``"scan"`` (every allowed vector, decompressed) or ``"votes"``.
        windows: windows that were allowed.
        vectors: their vectors.
        voted: windows that had most votes.
        refined: those of them whose vectors near the query were decompressed.
        scored: windows scored with MaxSim over all their vectors.
        settings: what the search was told to look at; None where it scored everything.
    """

    method: str
    windows: int
    vectors: int
    voted: int = 0
    refined: int = 0
    scored: int = 0
    settings: SearchSettings | None = None


def exact_trace(
    segments: Sequence[LiveSegment], rows: npt.NDArray[np.int64] | None = None
) -> SearchTrace:
    """Return the trace of a search that scores everything.

    Args:
        segments: what is searched.
        rows: ascending rows to which the search is limited; None for all.
    """
    allowed = [live.within(rows) for live in segments]
    windows = sum(live.windows for live in allowed)
    vectors = sum(live.vectors for live in allowed)
    return SearchTrace("exact", windows, vectors, scored=windows)
