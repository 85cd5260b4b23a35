"""Token vectors from encoders and callers, checked before an index compares or keeps them.

Every leg of a search and every way in goes through here: kernels go by these numbers, and what is
no number would be passed over, or win, in silence.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import InputError, ModelError
from ..types import Passage, TokenMatrix, TokenVectors, Window

# Vectors are stored as float16, and token ids as int32, whoever gives them.
LARGEST, LARGEST_ID = float(np.finfo(np.float16).max), int(np.iinfo(np.int32).max)
# Numbers that are added up by one thread; a longer query is looked at closely.
_GLANCE = 8_192
_SHOWN = 40


def check_matrix(vectors: object, what: str, dim: int | None = None) -> TokenMatrix:
    """Return token vectors as float32, if every index could compare them.

    Args:
        vectors: whatever NumPy takes for a matrix of numbers.
        what: whose they are, for the message.
        dim: their width; any when None.

    Returns:
        ``(n, dim)`` float32, C-contiguous.

    Raises:
        InputError: no numbers, another rank or width, NaN, infinity, or beyond 65,504, the largest
            number of float16.

    Example:
        >>> check_matrix([[1, 0]], "my vectors").dtype
        dtype('float32')
    """
    try:
        matrix = np.asarray(vectors)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"{what} are no array of numbers ({error}).") from None
    if matrix.dtype.kind not in "fiu":
        raise InputError(f"{what} are of type {matrix.dtype}, not numbers.")
    if matrix.ndim != 2 or dim not in (None, matrix.shape[1]):
        wanted = "(n, dim)" if dim is None else f"(n, dim) of dim {dim}"
        raise InputError(f"{what} have shape {matrix.shape} instead of {wanted}.")
    fits = np.abs(matrix) <= LARGEST
    if not fits.all():
        row, column = np.argwhere(~fits)[0].tolist()
        raise InputError(
            f"{what} are not finite in float16: number {column} of vector {row} is "
            f"{matrix[row, column]}."
        )
    return np.ascontiguousarray(matrix, dtype=np.float32)


def check_query_vectors(
    encoded: Iterable[TokenVectors], texts: Sequence[str], dim: int, encoder: object
) -> list[TokenVectors]:
    """Return encoded queries, if an index could be asked with them.

    Args:
        encoded: what an encoder gave for the queries.
        texts: the queries.
        dim: width of the index's vectors.
        encoder: the encoder, for the message.

    Returns:
        The same, with float32 vectors. A query without a vector scores nothing.

    Raises:
        ModelError: not one result a query, or vectors or spans that cannot be so; it names the
            encoder, the query and the value.
    """
    found = _listed(encoded, encoder)
    if len(found) != len(texts):
        found = check_results(found, len(texts), encoder)
    return [_checked(one, text, dim, encoder) for one, text in zip(found, texts, strict=True)]


def check_results(
    encoded: Iterable[TokenVectors], number: int, encoder: object
) -> list[TokenVectors]:
    """Return what an encoder gave, if it is one result a text and each has arrays.

    Raises:
        ModelError: it is not; the message names the encoder.
    """
    found = _listed(encoded, encoder)
    if len(found) != number:
        raise ModelError(
            f"{_name(encoder)} gave {len(found)} results for {number} texts; it must give one for "
            "each."
        )
    for one in found:
        parts = (one.vectors, one.token_ids, one.spans) if isinstance(one, TokenVectors) else ()
        ranks = [part.ndim for part in parts if isinstance(part, np.ndarray)]
        if ranks != [2, 1, 2]:
            raise ModelError(
                f"{_name(encoder)} gave {type(one).__name__} {_show(repr(one))}; it must give "
                "TokenVectors of vectors (n, dim), token ids (n,) and spans (n, 2)."
            )
    return found


def check_query_spans(encoded: TokenVectors, text: str) -> None:
    """Look at where a query's vectors lie in it; only evidence goes by that.

    Raises:
        ModelError: a span that begins before the query, ends beyond it, or before it begins.
    """
    spans = encoded.spans
    if len(spans) and (
        spans.min() < 0 or spans.max() > len(text) or (spans[:, 0] > spans[:, 1]).any()
    ):
        raise ModelError(
            f"the encoder gave spans of the query {_show(text)} from {spans.min()} to "
            f"{spans.max()}; each must lie within its {len(text)} characters."
        )


def check_vectors(encoded: TokenVectors, dim: int, passage: Passage) -> None:
    """Refuse vectors that could not be searched once stored as float16.

    Args:
        encoded: what an encoder gave for one passage.
        dim: width of the index's vectors.
        passage: the passage, for the message.

    Raises:
        InputError: another width, no vector at all, NaN or infinity, or not one token id and one
            span for each.
    """
    vectors = check_matrix(encoded.vectors, f"the vectors of {passage.id!r}", dim)
    if not len(vectors):
        raise no_vectors(passage)
    fault = _find_fault(encoded, len(vectors))
    if fault is not None:
        raise InputError(
            f"the encoder gave {len(vectors)} vectors for {passage.id!r}, but {fault}; check the "
            "encoder."
        )


def check_to_be_pooled(encoded: TokenVectors, encoder: object) -> TokenVectors:
    """Return what an encoder gave for a text, if means of its vectors can be taken.

    Returns:
        The same, with float32 vectors. A text may have none.

    Raises:
        InputError: no finite numbers, or not one token id and one span for each vector.
    """
    what = f"the vectors that {_name(encoder)} gave for a text"
    vectors = check_matrix(encoded.vectors, what)
    if len(vectors) and (fault := _find_fault(encoded, len(vectors))) is not None:
        raise InputError(f"{what} are {len(vectors)}, but {fault}; check the encoder.")
    return replace(encoded, vectors=vectors)


def check_window(window: Window, dim: int, passage: Passage) -> None:
    """Refuse a window that could not be stored, or that lies outside of its text.

    Raises:
        InputError: see :func:`check_vectors`; or it, or one of its spans, lies outside.
    """
    check_vectors(window.encoded, dim, passage)
    if not window.fits(len(passage.text)):
        raise InputError(
            f"a window or a span of {passage.id!r} lies outside of its text, which has "
            f"{len(passage.text):,} characters. Give the text that the vectors were made of, or "
            "check the encoder."
        )


def no_vectors(passage: Passage) -> InputError:
    """Return the error about a text of which an encoder made nothing."""
    return InputError(
        f"the encoder gave no vector for {passage.id!r}; leave that text out: "
        f"{_show(passage.text)}."
    )


def _listed(encoded: Iterable[TokenVectors], encoder: object) -> list[TokenVectors]:
    try:
        results = iter(encoded)
    except TypeError:
        raise ModelError(
            f"{_name(encoder)} gave {_show(repr(encoded))}; it must give a list of TokenVectors."
        ) from None
    return list(results)


def _checked(encoded: object, text: str, dim: int, encoder: object) -> TokenVectors:
    if not isinstance(encoded, TokenVectors):
        raise ModelError(
            f"{_name(encoder)} gave a {type(encoded).__name__} for the query {_show(text)}, not "
            "TokenVectors."
        )
    if not _is_sound(encoded.vectors, dim):
        what = f"the vectors of the query {_show(text)}"
        try:
            encoded = replace(encoded, vectors=check_matrix(encoded.vectors, what, dim))
        except InputError as error:
            raise ModelError(f"{error} {_name(encoder)} gave them; check it.") from None
    spans = encoded.spans
    if not isinstance(spans, np.ndarray) or (
        spans.shape != (len(encoded.vectors), 2) or spans.dtype.kind not in "iu"
    ):
        raise ModelError(
            f"{_name(encoder)} gave spans of shape {np.shape(spans)} for the query {_show(text)}, "
            f"which has {len(encoded.vectors)} vectors: each needs a start and an end."
        )
    return encoded


def _is_sound(vectors: object, dim: int) -> bool:
    """Tell at a glance whether vectors are as they should be; False where a closer look is due."""
    if not isinstance(vectors, np.ndarray) or vectors.dtype != np.float32:
        return False
    if vectors.ndim != 2 or vectors.shape[1] != dim or not vectors.flags.c_contiguous:
        return False
    flat = vectors.reshape(-1)
    if len(flat) > _GLANCE:
        return False
    with np.errstate(over="ignore", invalid="ignore"):
        # The sum of squares is below this only if all are finite and none is larger.
        return bool(flat.dot(flat) <= LARGEST)


def _find_fault(encoded: TokenVectors, vectors: int) -> str | None:
    """Say what is wrong with the token ids and spans of so many vectors."""
    ids: npt.NDArray[Any] = np.asarray(encoded.token_ids)
    spans: npt.NDArray[Any] = np.asarray(encoded.spans)
    if ids.shape != (vectors,) or spans.shape != (vectors, 2):
        return f"token ids of shape {ids.shape} and spans of shape {spans.shape}"
    if ids.dtype.kind not in "iu" or spans.dtype.kind not in "iu":
        return f"token ids of type {ids.dtype} and spans of type {spans.dtype}"
    if ids.min() < -1 or ids.max() > LARGEST_ID:
        return f"token ids from {ids.min()} to {ids.max()}"
    if spans.min() < 0 or spans.max() > LARGEST_ID or (spans[:, 0] > spans[:, 1]).any():
        return f"spans from {spans.min()} to {spans.max()}, or some that end before they begin"
    return None


def _name(encoder: object) -> str:
    name = getattr(encoder, "name", None)
    kind = type(encoder).__name__
    return f"the encoder {name!r} ({kind})" if isinstance(name, str) else f"the encoder ({kind})"


def _show(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")
