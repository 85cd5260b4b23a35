"""The projection of the cut teacher's states to vectors, fitted on translations.

What differs between a word and its translation is what a search across languages must not see. The
words of a pair that are nearest to one another show it: directions in which they differ much are
scaled down before the principal ones are kept. Half of that (``within`` .5) did best.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Head = tuple[np.ndarray, np.ndarray]
"""Weight ``(size, hidden)`` and bias ``(size,)``."""


def fit_head(saved: Any, size: int, within: float) -> Head:
    """Fit the projection.

    Args:
        saved: what :mod:`states` wrote.
        size: of a vector.
        within: how much of the scaling is due to what translations differ in, the rest being the
            same in all directions; 0 gives a PCA whose directions are half whitened instead.
    """
    states = saved["states"].astype(np.float32)
    mean = states.mean(0, dtype=np.float64)
    total = np.cov(states, rowvar=False)
    if not within:
        variances, directions = np.linalg.eigh(total)
        projection = (directions * variances**-0.25)[:, ::-1][:, :size]
        return projection.T, -mean @ projection
    differing = np.cov(_differences(states - mean, saved["sizes"]), rowvar=False)
    differing /= np.trace(differing) / len(differing)
    mixed = within * differing + (1 - within) * np.eye(len(differing))
    variances, directions = np.linalg.eigh(mixed)
    scaling = directions @ np.diag(variances**-0.5) @ directions.T
    principal = np.linalg.eigh(scaling @ total @ scaling)[1][:, ::-1][:, :size]
    projection = scaling @ principal
    return projection.T, -mean @ projection


def _differences(states: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Subtract the tokens of each pair of texts that are nearest to one another both ways."""
    unit = states / np.linalg.norm(states, axis=1, keepdims=True)
    bounds = np.concatenate([[0], np.cumsum(sizes)])
    found = []
    for text in range(0, len(sizes), 2):
        one = np.arange(bounds[text], bounds[text + 1])
        other = np.arange(bounds[text + 1], bounds[text + 2])
        near = unit[one] @ unit[other].T
        there, back = near.argmax(1), near.argmax(0)
        mutual = back[there] == np.arange(len(one))
        found.append(states[one[mutual]] - states[other[there[mutual]]])
    return np.concatenate(found)


def without_directions(head: Head, saved: Any, count: int) -> Head:
    """Take directions between languages out of what a head gives.

    Each language has an offset: the mean difference between translations into it and their English
    originals, each text counted by the mean of its vectors.

    Args:
        head: the projection.
        saved: what :mod:`states` wrote.
        count: how many of the main directions of these offsets go.
    """
    weight, bias = head
    vectors = saved["states"].astype(np.float32) @ weight.T + bias
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    starts = np.concatenate([[0], np.cumsum(saved["sizes"])[:-1]])
    means = np.add.reduceat(vectors, starts) / saved["sizes"][:, None]
    languages = saved["languages"][1::2]
    differences = means[1::2] - means[0::2]
    offsets = np.stack([differences[languages == one].mean(0) for one in np.unique(languages)])
    directions = np.linalg.svd(offsets, full_matrices=False)[2][:count]
    kept = np.eye(len(weight)) - directions.T @ directions
    return kept @ weight, kept @ bias
