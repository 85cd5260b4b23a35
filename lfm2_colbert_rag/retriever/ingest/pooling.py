"""Token pooling: fewer vectors a text, each the mean of several that point the same way.

Hierarchical clustering after Clavié, Chaffin and Adams, "Reducing the Footprint of Multi-Vector
Retrieval with Minimal Performance Impact via Token Pooling", 2024, with changes that
``benchmarks/pooling.py`` measures: complete linkage instead of Ward's, which keeps a vector unlike
all others out of every cluster; vectors of the same token, and of tokens that many texts have,
count as nearer than they are; and means are longer than they come out, but shorter than their
members (:class:`PoolingRule`).

How many vectors of a text are left is either a fixed share of them, or what a distance leaves that
holds for all texts of an index (:func:`find_distance`): then texts that repeat themselves lose more
of theirs than texts that do not, which costs no quality where the fixed share does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import ModuleType

import numpy as np
import numpy.typing as npt

from ..._support.extras import require
from ..._support.products import product
from ...errors import ConfigError, InputError
from ...storage.tunings import PoolingRule
from ...types import TokenMatrix, TokenVectors

# A distance is fitted to no less than this: of other texts of the same kind it leaves the wanted
# share then, give or take two in a hundred.
LEAST_WINDOWS, LEAST_VECTORS = 32, 2_048
# A distance is to leave a little less than one of ``pool_factor`` vectors of the sample, so that it
# leaves no more than that of other texts, which are never quite alike.
SHARE = 0.91
# What a distance leaves of a text is at least the fixed share divided by this, and at most the
# share times this: it may have been fitted to texts of quite another kind.
LEEWAY = 2
# A token in every text still tells a little.
LEAST_RARITY = 0.05


RULE = PoolingRule()
"""The rule of indexes that are made now."""


def check_pool_factor(pool_factor: int) -> int:
    """Return the factor if texts can be pooled by it here.

    Raises:
        ConfigError: it is no whole number above 0.
        MissingExtraError: it is above 1, and the ``pooling`` extra is not installed.
    """
    if isinstance(pool_factor, bool) or not isinstance(pool_factor, int) or pool_factor < 1:
        raise ConfigError(
            f"pool_factor must be a whole number from 1 (no pooling) up, not {pool_factor!r}."
        )
    if pool_factor > 1:
        require("scipy", extra="pooling")
    return pool_factor


def pool_vectors(
    encoded: TokenVectors,
    pool_factor: int,
    protected_tokens: int = 1,
    *,
    distance: float | None = None,
    common: Mapping[int, float] | None = None,
    rule: PoolingRule = RULE,
) -> TokenVectors:
    """Replace a text's vectors by the means of clusters of them.

    Clusters come from complete linkage on the rule's distances: none is wider than need be.

    Args:
        encoded: ``n`` unit vectors.
        pool_factor: how many vectors become one on average; 1 changes nothing.
        protected_tokens: vectors at the beginning that stay as they are; the first is a marker.
        distance: if given, vectors become one where no two of them are further apart than this
            (1 less their cosine, less where the rule says so): a text that repeats itself loses
            more vectors than one that does not. At least half as many means are left as without
            it, and at most twice as many.
        common: by what distances from a token's vectors are multiplied; 1 where it is not there.
        rule: what counts as alike, and how long means are.

    Returns:
        The protected vectors, then at most ``max(1, (n - protected_tokens) // pool_factor)``
        means, none longer than 1, in the order of scipy's cluster labels. A mean bears the token id
        and the span of the member nearest to it (of several, the first). What would not become
        fewer is returned as it is.

    Raises:
        ConfigError: a factor below 1, fewer than no protected tokens, or a negative distance.
        InputError: a vector holds NaN or infinity.
        MissingExtraError: the ``pooling`` extra is not installed.

    Example:
        >>> vectors = np.eye(3, dtype=np.float32)[[0, 1, 1, 2, 2]]
        >>> spans = np.array([(i, i + 1) for i in range(5)], dtype=np.int32)
        >>> encoded = TokenVectors(vectors, np.arange(5, dtype=np.int32), spans)
        >>> pool_vectors(encoded, 2).vectors
        array([[1., 0., 0.],
               [0., 1., 0.],
               [0., 0., 1.]], dtype=float32)
    """
    check_pool_factor(pool_factor)
    if protected_tokens < 0:
        raise ConfigError(f"protected_tokens must be 0 or more, not {protected_tokens}.")
    if distance is not None and not distance >= 0:
        raise ConfigError(f"distance must be 0 or more, or None, not {distance}.")
    free = encoded.vectors[protected_tokens:]
    if max(len(free) // pool_factor, 1) >= len(free):
        return encoded
    _require_finite(encoded)
    tree = _tree(free, encoded.token_ids[protected_tokens:], common or {}, rule)
    labels = _cut(tree, pool_factor, distance)
    directions, lengths = _means(free, labels)
    means = directions * lengths**rule.shrinking
    nearest = protected_tokens + _nearest(free, labels, directions)
    kept = np.concatenate((np.arange(protected_tokens), nearest))
    vectors = np.concatenate((encoded.vectors[:protected_tokens], means))
    return replace(
        encoded, vectors=vectors, token_ids=encoded.token_ids[kept], spans=encoded.spans[kept]
    )


def find_distance(
    texts: Sequence[TokenVectors],
    pool_factor: int,
    protected_tokens: int = 1,
    *,
    common: Mapping[int, float] | None = None,
    rule: PoolingRule = RULE,
) -> float | None:
    """Return the distance that leaves one of ``pool_factor`` vectors of texts, or a little less.

    Of all together, that is: some keep more, some less.

    Args:
        texts: a sample of the texts that are to be pooled, each window for itself.
        pool_factor: 2 or more.
        protected_tokens: see :func:`pool_vectors`.
        common: see there.
        rule: see there.

    Returns:
        What :func:`pool_vectors` takes; None where the sample is too small to tell, or where no
        distance leaves so few.

    Raises:
        InputError: a vector holds NaN or infinity.
        MissingExtraError: the ``pooling`` extra is not installed.
    """
    total = sum(len(one) for one in texts)
    if len(texts) < LEAST_WINDOWS or total < LEAST_VECTORS:
        return None
    for one in texts:
        _require_finite(one)
    part = slice(protected_tokens, None)
    mergers = [
        _tree(one.vectors[part], one.token_ids[part], common or {}, rule)[:, 2]
        for one in texts
        if len(one) > protected_tokens + 1
    ]
    merged = np.sort(np.concatenate([np.empty(0), *mergers]))
    wanted = total - int(SHARE * total / pool_factor)
    return float(merged[wanted - 1]) if 0 < wanted <= len(merged) else None


def find_common(texts: Sequence[TokenVectors], rule: PoolingRule = RULE) -> dict[int, float]:
    """Return by what distances from the vectors of common tokens are to be multiplied.

    That is the fourth root of ``log p / log common_from`` for a token in a share p of the texts:
    1 where it is just common, and about a half where it is in every text.

    Args:
        texts: a sample, each window for itself.
        rule: says which tokens are common.

    Returns:
        What :func:`pool_vectors` takes, by token id.

    Example:
        >>> one = TokenVectors(np.eye(2, dtype=np.float32), np.array([7, 8], np.int32),
        ...                    np.array([(0, 1), (1, 2)], np.int32))
        >>> other = replace(one, token_ids=np.array([7, 9], np.int32))
        >>> find_common([one, other], PoolingRule(common_from=0.75))
        {7: 0.4729}
    """
    if not 0 < rule.common_from < 1 or not texts:
        return {}
    tokens, counts = np.unique(
        np.concatenate([np.unique(one.token_ids) for one in texts]), return_counts=True
    )
    shares = counts / len(texts)
    known = (shares >= rule.common_from) & (tokens >= 0)
    rarity = np.log(shares[known]) / math.log(rule.common_from)
    factors = np.maximum(rarity, LEAST_RARITY) ** 0.25
    return dict(zip(tokens[known].tolist(), factors.round(4).tolist(), strict=True))


def in_text_order(encoded: TokenVectors) -> TokenVectors:
    """Put vectors in the order of their characters, which takes less room; no score depends on it.

    Markers, which have none, come first.
    """
    order = np.lexsort((encoded.spans[:, 1], encoded.spans[:, 0]))
    return TokenVectors(encoded.vectors[order], encoded.token_ids[order], encoded.spans[order])


def _require_finite(encoded: TokenVectors) -> None:
    if not np.isfinite(encoded.vectors).all():
        raise InputError("vectors with NaN or infinity cannot be pooled; check the encoder.")


def _tree(
    vectors: TokenMatrix,
    token_ids: npt.NDArray[np.int32],
    common: Mapping[int, float],
    rule: PoolingRule,
) -> npt.NDArray[np.float64]:
    """Return scipy's tree of two vectors or more; column 2 is the distance of each merger."""
    # Rounding may put equal vectors at less than no distance, which scipy refuses.
    distances = np.maximum(1 - product(vectors, vectors.T), 0)
    alike = (token_ids[:, None] == token_ids) & (token_ids >= 0)
    distances[alike] *= np.float32(rule.same_token)
    if common:
        factors = [common.get(token, 1.0) for token in token_ids.tolist()]
        distances *= np.outer(factors, factors).astype(np.float32)
    pairs = distances[np.triu_indices(len(vectors), k=1)]
    tree: npt.NDArray[np.float64] = _hierarchy().linkage(pairs, method="complete")
    return tree


def _cut(
    tree: npt.NDArray[np.float64], pool_factor: int, distance: float | None
) -> npt.NDArray[np.intp]:
    """Return the cluster of each vector, counted from 0 without gaps."""
    size = len(tree) + 1
    clusters = size // pool_factor
    if distance is not None:
        left = size - np.searchsorted(tree[:, 2], distance, side="right")
        clusters = int(np.clip(left, clusters // LEEWAY, min(LEEWAY * size // pool_factor, size)))
    labels = _hierarchy().fcluster(tree, t=max(clusters, 1), criterion="maxclust")
    return np.unique(labels, return_inverse=True)[1].reshape(-1)


def _hierarchy() -> ModuleType:
    return require("scipy.cluster.hierarchy", extra="pooling")


def _means(
    vectors: TokenMatrix, labels: npt.NDArray[np.intp]
) -> tuple[TokenMatrix, npt.NDArray[np.float32]]:
    """Return the direction of each cluster's mean, and its length as a column.

    Of vectors that cancel out the first takes the place of the mean.
    """
    sums = np.zeros((labels.max() + 1, vectors.shape[1]), dtype=np.float32)
    np.add.at(sums, labels, vectors)
    sizes = np.bincount(labels).astype(np.float32)[:, None]
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    first = vectors[np.unique(labels, return_index=True)[1]]
    directions = np.where(lengths > 1e-6, sums / np.maximum(lengths, 1e-6), first)
    lengths = np.where(lengths > 1e-6, np.minimum(lengths / sizes, 1), 1)
    return directions.astype(np.float32), lengths.astype(np.float32)


def _nearest(
    vectors: TokenMatrix, labels: npt.NDArray[np.intp], directions: TokenMatrix
) -> npt.NDArray[np.intp]:
    """Return which member of each cluster lies nearest to the direction of its mean."""
    distances = np.linalg.norm(vectors - directions[labels], axis=1)
    order = np.lexsort((np.arange(len(labels)), distances, labels))
    return order[np.searchsorted(labels[order], np.arange(len(directions)))]
