"""Making a codebook: k-means within the vectors of each vocabulary id.

A vector is only ever compared with the centroids of its own token, which makes clustering as cheap
as one pass of ordinary k-means over a few hundred centroids, and adding as cheap as looking a token
up. It gives up nothing: vectors of one token lie together.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ..._support.products import product
from ..array_types import FloatArray, IntArray
from ..workers import in_parallel, thread_count
from .codebook import UNKNOWN_TOKEN, Centroids, Codebook, CodebookInfo
from .codebook_reuse import Groups, Known, keep_fitting
from .codec import CODE_BYTES, LENGTHS, MAX_CENTROIDS, STEPS, Codec, name_lengths, unit_vectors
from .structs import CoarseGroups

# One centroid for about a hundred vectors of a token, none split below 64, none into more than a
# thousand: more cost more to search and to keep than they gain.
VECTORS_A_CENTROID, SMALLEST_SPLIT, MAX_SPLITS = 100, 64, 256
ROUNDS = 4
MSE_SAMPLE = 100_000
SEED = 20_240


def choose_counts(sizes: IntArray) -> IntArray:
    """Return how many centroids tokens get that have so many vectors."""
    counts = np.clip(sizes // VECTORS_A_CENTROID, 1, MAX_SPLITS)
    counts[sizes < SMALLEST_SPLIT] = 1
    return counts


def train_codebook(
    name: str,
    vectors: npt.NDArray[np.floating],
    token_ids: npt.NDArray[np.int32],
    codec: Codec,
    *,
    total: int | None = None,
    known: Known | None = None,
) -> Codebook:
    """Make a codebook.

    Args:
        name: its name to be.
        vectors: ``(n, dim)`` float16 or float32, all of the index's or a sample of them.
        token_ids: ``(n,)`` their vocabulary ids, -1 where unknown.
        codec: how residuals are to be packed.
        total: how many vectors the sample stands for; n when None.
        known: what the vectors come from, if they were compressed before; see
            :mod:`.codebook_reuse`.
    """
    from . import kernels

    total = len(vectors) if total is None else max(total, len(vectors))
    rotation = _rotation(codec.padded)
    pivots = _pivots(vectors[token_ids < 0], codec, rotation)
    blank = Codebook(
        CodebookInfo(name, codec.nbits, 0, total, 0.0, _has_norms(vectors)),
        codec,
        rotation,
        Centroids.rounded(
            np.empty((0, codec.padded), np.float32), np.empty(0, np.int32), codec.nbits
        ),
        CoarseGroups(np.empty((0, codec.padded), np.float32), np.zeros(1, np.int64)),
        pivots,
    )
    tokens = _classified(blank, vectors, token_ids)
    order = np.argsort(tokens, kind="stable")
    starts = np.flatnonzero(np.diff(tokens[order], prepend=tokens[order][:1] - 1))
    ends = np.append(starts[1:], len(order))
    counts = _fit(choose_counts((ends - starts) * total // max(1, len(vectors))), ends - starts)
    firsts = np.concatenate(([0], np.cumsum(counts)))
    grouped = np.empty((len(order), codec.padded), np.float32)
    in_parallel(_gather, [(blank, vectors, order, grouped, *part) for part in _blocks(len(order))])
    means = np.empty((firsts[-1], codec.padded), np.float32)
    in_parallel(
        kernels.cluster,
        [
            (grouped, starts[a:b], ends[a:b], counts[a:b], firsts[a:b], ROUNDS, codec.shape, means)
            for a, b in _shares((ends - starts) * counts * ROUNDS)
        ],
    )
    means = means @ rotation  # distances do not change by it, so only the means need be rotated
    groups_of = tokens[order][starts]
    centroids = Centroids.rounded(means, np.repeat(groups_of, counts), codec.nbits)
    if known is not None and known.suits(blank):
        made_of = Groups(grouped, groups_of, starts, ends)
        centroids, firsts = keep_fitting(known, centroids, firsts, made_of, rotation)
        means = centroids.means
    mse = _mse(grouped, rotation, centroids, firsts, ends - starts, codec)
    groups, member_of = group_centroids(means)
    order = np.argsort(member_of, kind="stable")
    return Codebook(
        replace(blank.info, centroids=len(centroids), mse=mse),
        codec,
        rotation,
        centroids.take(order),
        CoarseGroups(groups, np.searchsorted(member_of[order], np.arange(len(groups) + 1))),
        pivots,
    )


def group_centroids(means: FloatArray) -> tuple[FloatArray, IntArray]:
    """Group centroids by direction.

    Returns:
        ``(groups, padded)`` unit vectors, about as many as the square root of the centroids, and
        each centroid's group.
    """
    wanted = max(1, round(math.sqrt(len(means))))
    units = means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
    chance = np.random.default_rng(SEED)
    groups = units[np.sort(chance.choice(len(units), wanted, replace=False))]
    for _ in range(ROUNDS):
        nearest = _nearest(units, groups)
        sums = np.zeros_like(groups)
        np.add.at(sums, nearest, units)
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        groups = np.where(lengths > 0, sums / np.maximum(lengths, 1e-12), groups)
    return groups.astype(np.float16).astype(np.float32), _nearest(units, groups)


def _nearest(units: FloatArray, groups: FloatArray) -> IntArray:
    found = [
        np.argmax(product(units[start : start + 16_384], groups.T), axis=1)
        for start in range(0, len(units), 16_384)
    ]
    return np.concatenate(found) if found else np.empty(0, np.int64)


def _mse(
    grouped: FloatArray,
    rotation: FloatArray,
    centroids: Centroids,
    firsts: IntArray,
    sizes: IntArray,
    codec: Codec,
) -> float:
    """Mean squared residual of a sample of the vectors that the centroids were made of."""
    from . import kernels

    step = max(1, len(grouped) // MSE_SAMPLE)
    group = np.repeat(np.arange(len(sizes)), sizes)[::step]
    chosen = product(grouped[::step], rotation)
    total = kernels.encode(
        chosen,
        firsts[:-1][group],
        firsts[1:][group],
        centroids.choices(np.arange(len(centroids))),
        STEPS,
        codec.shape,
        np.empty((len(chosen), CODE_BYTES), np.uint8),
        np.empty((len(chosen), codec.width), np.uint8),
    )
    return float(total) / max(1, len(chosen))


def _has_norms(vectors: npt.NDArray[np.floating]) -> bool:
    """Tell whether there are vectors shorter than 1, and none that is longer."""
    lengths = [
        LENGTHS[name_lengths(vectors[a:b].astype(np.float32))] for a, b in _blocks(len(vectors))
    ]
    found = np.unique(np.concatenate(lengths)) if lengths else np.ones(1)
    return bool(found[0] < 1 and found[-1] <= 1)


def _rotation(width: int) -> FloatArray:
    drawn = np.random.default_rng(SEED).standard_normal((width, width))
    return np.linalg.qr(drawn)[0].astype(np.float32)


def _pivots(unknown: npt.NDArray[np.floating], codec: Codec, rotation: FloatArray) -> FloatArray:
    """Evenly spaced vectors of unknown token, one for about four thousand."""
    count = min(len(unknown), max(1, min(4096, len(unknown) // 4096))) if len(unknown) else 0
    chosen = unknown[np.arange(count) * max(1, len(unknown)) // max(1, count)]
    return product(codec.pad(unit_vectors(chosen)), rotation)


def _classified(
    blank: Codebook, vectors: npt.NDArray[np.floating], token_ids: npt.NDArray[np.int32]
) -> npt.NDArray[np.int32]:
    tokens = token_ids.astype(np.int32)
    unknown = np.flatnonzero(tokens <= UNKNOWN_TOKEN)
    for start in range(0, len(unknown), 65_536):
        part = unknown[start : start + 65_536]
        tokens[part] = blank.classify(blank.rotate(vectors[part]), tokens[part])
    return tokens


def _fit(counts: IntArray, sizes: IntArray) -> IntArray:
    """Keep codes within what three bytes can name, and no token with more than its vectors."""
    counts = np.minimum(counts, sizes)
    room = MAX_CENTROIDS // 2
    while counts.sum() > max(room, len(counts)):
        counts = np.maximum(1, counts * 9 // 10)
    return counts


def _blocks(size: int) -> list[tuple[int, int]]:
    return [(start, min(size, start + 65_536)) for start in range(0, size, 65_536)]


def _gather(
    blank: Codebook,
    vectors: npt.NDArray[np.floating],
    order: IntArray,
    out: FloatArray,
    start: int,
    end: int,
) -> None:
    # take, unlike indexing, lets other threads run meanwhile
    out[start:end] = blank.prepare(np.take(vectors, order[start:end], axis=0))


def _shares(costs: IntArray) -> list[tuple[int, int]]:
    """Cut groups into runs of like cost, a few for each thread."""
    ends = np.cumsum(costs)
    goals = np.arange(1, thread_count() * 8) * ends[-1] / (thread_count() * 8)
    cuts = np.unique(np.concatenate(([0], np.searchsorted(ends, goals), [len(costs)])))
    return list(zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True))
