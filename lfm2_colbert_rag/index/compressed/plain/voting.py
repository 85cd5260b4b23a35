"""Votes of the inverted lists of near centroids."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ...array_types import FloatArray, IntArray
from ..structs import Lists, Probed
from .members import members


def vote(
    first: int,
    last: int,
    near: Probed,
    lists: Lists,
    touched: npt.NDArray[np.int16],
    votes: FloatArray,
) -> None:
    """Add what each query vector finds in the lists of its centroids to the windows' votes.

    ``touched`` is above all query vectors for windows that must not be found.
    """
    allowed = touched < first
    gains = np.empty(len(votes), np.float32)
    for row in range(first, last):
        count = int(near.found[row])
        codes, sims = near.ids[row, :count], near.sims[row, :count]
        sizes = (lists.starts[codes + 1] - lists.starts[codes]).astype(np.int64)
        # The best comes last: of what is written to one place, the last stays.
        places, _ = members(lists.starts[codes[::-1]].astype(np.int64), sizes[::-1])
        gains[:] = 0
        gains[lists.listed[places]] = np.repeat((sims - sims[-1:])[::-1], sizes[::-1])
        votes += gains * allowed


def select(
    votes: FloatArray, limit: int, highest: float, windows: IntArray, gains: FloatArray
) -> int:
    """Collect the windows with most votes, ``limit`` of them if so many have any.

    Sets all votes back to 0. Returns how many were collected.
    """
    del highest  # of use to the kernel only, which sorts by parts of it
    found = np.flatnonzero(votes > 0)
    kept = min(limit, len(windows))
    if len(found) > kept:
        found = found[np.argpartition(votes[found], len(found) - kept)[-kept:]]
    windows[: len(found)], gains[: len(found)] = found, votes[found]
    votes[:] = 0
    return len(found)
