"""The centroids nearest to query vectors."""

from __future__ import annotations

import numpy as np

from ...._support.products import product
from ...array_types import BoolArray, FloatArray
from ...jit import OFFSET
from ..structs import Grouped, Probed, Query

# Centroids that are widened at a time: 4 MB.
_AT_ONCE = 8_192


def probe(
    query: FloatArray, in_bytes: Query, grouped: Grouped, wanted: int, nearest: Probed
) -> None:
    """The best centroids of each query vector, best first, among those of its coarse groups."""
    ids, sims, found = nearest
    near = _similarities(len(query), in_bytes, grouped)
    near[~_asked(query, grouped, wanted)] = -np.inf
    limit = ids.shape[1]
    if limit < near.shape[1]:
        codes = np.argpartition(near, near.shape[1] - limit, axis=1)[:, -limit:]
    else:
        codes = np.broadcast_to(np.arange(limit), near.shape)
    best = np.take_along_axis(near, codes, axis=1)
    order = np.argsort(-best, axis=1, kind="stable")
    best = np.take_along_axis(best, order, axis=1)
    ids[:] = np.take_along_axis(codes, order, axis=1)
    found[:] = np.isfinite(best).sum(axis=1)
    sims[:] = np.where(np.isfinite(best), best, 0)


def _similarities(rows: int, in_bytes: Query, grouped: Grouped) -> FloatArray:
    """Similarities of query vectors to all centroids, ``(rows, centroids)``.

    The products of whole numbers are below 2**24, so float32 has them without error.
    """
    query = in_bytes.whole[:rows].astype(np.float32) - np.float32(OFFSET)
    near = np.empty((rows, len(grouped.values)), np.float32)
    for start in range(0, len(grouped.values), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        near[:, part] = product(query, grouped.values[part].astype(np.float32).T)
    near *= grouped.scales
    near *= in_bytes.units[:rows, None]
    return near


def _asked(query: FloatArray, grouped: Grouped, wanted: int) -> BoolArray:
    """Tell which centroids lie in one of the coarse groups nearest to each query vector."""
    near = product(query, grouped.directions.T)
    nearest = np.argsort(-near, axis=1, kind="stable")[:, :wanted]
    chosen = np.zeros(near.shape, np.bool_)
    np.put_along_axis(chosen, nearest, values=True, axis=1)
    return np.repeat(chosen, np.diff(grouped.bounds), axis=1)


def to_bytes(query: FloatArray, in_bytes: Query) -> None:
    """Rows as bytes with OFFSET added, in parts of units: the largest coordinate has 127."""
    rows, dim = query.shape
    units = np.abs(query).max(axis=1, initial=1e-12) / np.float32(127)
    in_bytes.units[:rows] = units
    in_bytes.whole[:rows, :dim] = np.rint(query / units[:, None]).astype(np.int32) + OFFSET


def multiply(left: FloatArray, right: FloatArray, out: FloatArray) -> None:
    """Products of all rows of one matrix with all rows of another."""
    out[:] = product(left, right.T)
