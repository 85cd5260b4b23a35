"""MaxSim: how a passage answers a query, as numbers.

The score of a passage is the sum, over the query's vectors, of the largest dot product with any
of the passage's vectors (Khattab and Zaharia, "ColBERT", SIGIR 2020, equation 3). Everything is
compared in float32: published scores lie near 30, where the grid of bfloat16 is 0.125 wide and
would make ties of what is not one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from .._support.products import product
from .._support.token_vectors import check_matrix
from ..errors import InputError
from ..types import TokenMatrix

# Floats in one block of similarities: 8 M float32 are 32 MB.
DEFAULT_BLOCK = 8_000_000
LANES = 8  # sums that ordered_similarities() holds side by side


def maxsim(
    queries: Sequence[TokenMatrix],
    documents: Sequence[TokenMatrix],
    *,
    block: int = DEFAULT_BLOCK,
) -> npt.NDArray[np.float32]:
    """Score every document for every query.

    Args:
        queries: matrices of shape ``(num_tokens_i, dim)``.
        documents: matrices of shape ``(num_tokens_j, dim)``, float16 or float32.
        block: most similarities held at once; bounds the memory, never changes the result's
            meaning.

    Returns:
        ``(len(queries), len(documents))`` float32. A document without vectors scores ``-inf``.

    Raises:
        InputError: the widths differ, or a matrix is not two-dimensional, or holds NaN, infinity
            or a number beyond those of float16.

    Example:
        >>> query = np.array([[1.0, 0.0], [0.0, 1.0]], dtype=np.float32)
        >>> document = np.array([[1.0, 0.0], [0.0, 0.5]], dtype=np.float32)
        >>> maxsim([query], [document])
        array([[1.5]], dtype=float32)
    """
    scores = np.full((len(queries), len(documents)), -np.inf, dtype=np.float32)
    if not len(queries) or not len(documents):
        return scores
    queries, documents = _checked(queries, "query"), _checked(documents, "document")
    _require_one_width([*queries, *documents])
    lengths = np.array([len(document) for document in documents])
    filled = np.flatnonzero(lengths)
    for row, query in enumerate(queries):
        for part in blocks(lengths[filled], max(1, block // max(1, len(query)))):
            chosen = filled[part]
            vectors = np.concatenate([documents[j] for j in chosen])
            scores[row, chosen] = score_block(query, vectors, lengths[chosen])
    return scores


def maxsim_pairwise(
    queries: Sequence[TokenMatrix], documents: Sequence[TokenMatrix]
) -> npt.NDArray[np.float32]:
    """Score the i-th document for the i-th query.

    Args:
        queries: n matrices of shape ``(num_tokens_i, dim)``.
        documents: n matrices of shape ``(num_tokens_i, dim)``.

    Returns:
        ``(n,)`` float32.

    Raises:
        InputError: the numbers or the widths differ, or see :func:`maxsim`.
    """
    if len(queries) != len(documents):
        raise InputError(f"{len(queries)} queries but {len(documents)} documents; pair them up.")
    pairs = zip(queries, documents, strict=True)
    return np.array([maxsim([q], [d])[0, 0] for q, d in pairs], dtype=np.float32)


def similarities(query: TokenMatrix, document: TokenMatrix) -> npt.NDArray[np.float32]:
    """All dot products of a query's and a document's vectors.

    Returns:
        ``(query tokens, document tokens)`` float32.
    """
    return product(np.asarray(query, dtype=np.float32), np.asarray(document, dtype=np.float32).T)


def score_block(
    query: TokenMatrix,
    vectors: npt.NDArray[np.floating],
    lengths: npt.NDArray[np.integer],
) -> npt.NDArray[np.float32]:
    """Score documents that lie end to end in one array.

    Args:
        query: ``(query tokens, dim)`` float32.
        vectors: ``(total tokens, dim)`` float16 or float32.
        lengths: ``(documents,)`` tokens of each document, all positive; they sum to the total.

    Returns:
        ``(documents,)`` float32.
    """
    if not len(query):
        return np.zeros(len(lengths), dtype=np.float32)
    starts = np.concatenate(([0], np.cumsum(lengths)[:-1]))
    # Tokens of a document lie side by side along the last axis: there reduceat is fastest.
    best = np.maximum.reduceat(similarities(query, vectors), starts, axis=1)
    return best.sum(axis=0, dtype=np.float32)


def score_window(query: TokenMatrix, vectors: npt.NDArray[np.floating]) -> np.float32:
    """Score one document, every sum in one order, so that the bits depend on nothing else.

    Products of whole matrices differ in the last bit with the place of a document among others, and
    from one machine to the next. Compiled code sums in this order as well
    (:mod:`.exact.kernels.floats`), so equal documents tie whoever scores them.

    Args:
        query: ``(query tokens, dim)`` float32.
        vectors: ``(tokens, dim)`` float16 or float32, at least one.

    Example:
        >>> float(score_window(np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float16)))
        2.0
    """
    if not len(query):
        return np.float32(0)
    best = ordered_similarities(query, vectors.astype(np.float32)).max(axis=1)
    return np.float32(np.cumsum(best, dtype=np.float32)[-1])  # one after the other


def ordered_similarities(query: TokenMatrix, vectors: TokenMatrix) -> npt.NDArray[np.float32]:
    """Return :func:`similarities`, summed over every eighth coordinate, then by halves."""
    padding = ((0, 0), (0, -query.shape[1] % LANES))
    left, right = np.pad(query, padding), np.pad(vectors, padding)
    sums = np.zeros((len(left), len(right), LANES), dtype=np.float32)
    for at in range(0, left.shape[1], LANES):
        sums += left[:, None, at : at + LANES] * right[None, :, at : at + LANES]
    while sums.shape[2] > 1:
        half = sums.shape[2] // 2
        sums = sums[:, :, :half] + sums[:, :, half:]
    return sums[:, :, 0]


def blocks(lengths: npt.NDArray[np.integer], budget: int) -> list[slice]:
    """Cut documents into consecutive runs of at most ``budget`` tokens, at least one each."""
    runs: list[slice] = []
    ends = np.cumsum(lengths)
    start, done = 0, 0
    while start < len(lengths):
        stop = max(start + 1, int(np.searchsorted(ends, done + budget, side="right")))
        runs.append(slice(start, stop))
        start, done = stop, int(ends[stop - 1])
    return runs


def _checked(matrices: Sequence[TokenMatrix], what: str) -> list[TokenMatrix]:
    """Return matrices that can be compared; float16 ones as they are, which take half the room."""
    found = []
    for number, matrix in enumerate(matrices):
        checked = check_matrix(matrix, f"the vectors of {what} {number}")
        half = isinstance(matrix, np.ndarray) and matrix.dtype == np.float16
        found.append(matrix if half else checked)
    return found


def _require_one_width(matrices: Sequence[TokenMatrix]) -> None:
    widths = {matrix.shape[1] for matrix in matrices}
    if len(widths) > 1:
        raise InputError(
            f"token matrices must be (num_tokens, dim) of one dim; got dims {sorted(widths)}."
        )
