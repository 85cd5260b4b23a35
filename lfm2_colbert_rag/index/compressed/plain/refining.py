"""MaxSim over the stored vectors that some query vector is near."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ...._support.products import product
from ...array_types import FloatArray, IntArray
from ...jit import OFFSET
from ...maxsim import blocks
from ..codec import unpack_codes
from ..structs import Near, Source
from .members import AT_ONCE, centroids_of, lengths_of, levels_in_steps, members, unpack


def mark_near(
    ids: npt.NDArray[np.int32],
    found: IntArray,
    slots: npt.NDArray[np.int32],
    codes: npt.NDArray[np.int32],
) -> int:
    """Number the centroids that some query vector is near, from 1 on; returns how many.

    Their ``slots``, 0 before, become their numbers; number n is that of ``codes[n]``.
    """
    marked = np.zeros(len(slots), np.bool_)
    marked[ids[np.arange(ids.shape[1]) < found[:, None]]] = True
    near = np.flatnonzero(marked)
    slots[near] = np.arange(1, len(near) + 1)
    codes[1 : len(near) + 1] = near
    return len(near)


def clear_near(codes: npt.NDArray[np.int32], slots: npt.NDArray[np.int32]) -> None:
    """Set back to 0 what :func:`mark_near` numbered."""
    slots[codes] = 0


def centroid_similarities(
    query: npt.NDArray[np.uint8],
    units: FloatArray,
    source: Source,
    codes: npt.NDArray[np.int32],
    near: FloatArray,
) -> None:
    """Similarities of all query vectors to some centroids, as rows of ``near`` from 1 on."""
    values, scales = centroids_of(source, codes[1:].astype(np.int64))
    near[1:] = product(values.astype(np.float32), _without_offset(query).T)
    near[1:] *= scales[:, None] * units


def refine_windows(
    near: Near, source: Source, starts: IntArray, lengths: IntArray, out: FloatArray
) -> None:
    """MaxSim over the vectors whose centroids some query vector is near; the rest at its floor.

    What quantization did to the vector's length is passed over.
    """
    query = _without_offset(near.whole) * near.units[:, None]
    for part in blocks(lengths, 4 * AT_ONCE):
        at, firsts = members(starts[part], lengths[part])
        codes, steps = unpack_codes(source.codes[at])
        slots = near.slots[codes]
        kept = np.flatnonzero(slots)
        best = np.tile(near.floors, (len(firsts), 1))
        if len(kept):
            found = _compared(query, near, source, at[kept], slots[kept], steps[kept])
            owners = np.searchsorted(firsts, kept, side="right") - 1
            begins = np.flatnonzero(np.diff(owners, prepend=-1))
            mine = owners[begins]
            best[mine] = np.maximum(best[mine], np.maximum.reduceat(found, begins, axis=0))
        out[part] = best.sum(axis=1)


def _compared(
    query: FloatArray,
    near: Near,
    source: Source,
    at: IntArray,
    slots: npt.NDArray[np.int32],
    steps: IntArray,
) -> FloatArray:
    """Compare stored vectors with all query vectors, ``(vectors, rows)``."""
    levels = unpack(source.packed[at], levels_in_steps(8 // len(source.planes)))
    found = product(levels, query[:, : levels.shape[1]].T)
    found *= source.steps[steps][:, None]
    found += near.sims[slots]
    if len(source.norms):
        found *= np.reshape(lengths_of(source, at), (-1, 1))
    return found


def _without_offset(whole: npt.NDArray[np.uint8]) -> FloatArray:
    return whole.astype(np.float32) - np.float32(OFFSET)
