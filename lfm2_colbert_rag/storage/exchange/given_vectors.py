"""Vectors made elsewhere, checked and turned into windows as an index stores them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ..._support.token_vectors import check_window
from ...errors import InputError
from ...types import Passage, TokenMatrix, TokenVectors, Window

GivenVectors: TypeAlias = "npt.ArrayLike | Sequence[Window]"
"""One passage's ``(n, dim)`` matrix of floats; or its windows, where they are known."""

UNKNOWN_TOKEN = -1
"""Stands where nobody knows a vector's vocabulary id."""


def given_windows(
    vectors: Iterable[GivenVectors],
    slots: Sequence[Passage | None],
    dim: int,
    token_ids: Iterable[npt.ArrayLike] | None = None,
) -> Iterator[tuple[int, Window]]:
    """Check vectors one passage after the other; none but the last is held.

    Args:
        vectors: one entry a slot, see :data:`GivenVectors`.
        slots: the passages; None where an entry is passed over, because its passage is left out.
        dim: width of the index's vectors.
        token_ids: ``(n,)`` vocabulary ids a slot; all :data:`UNKNOWN_TOKEN` when None. Windows
            bring their own.

    Yields:
        The place of a passage among those that are not passed over, and one of its windows; in
        order.

    Raises:
        InputError: another width, NaN or infinity, a passage without a vector, a window or a span
            outside of its text, or not one entry a passage. The message names the passage.
    """
    entries = iter(vectors)
    ids = None if token_ids is None else iter(token_ids)
    place = 0
    for slot, passage in enumerate(slots):
        given = _next(entries, "vectors", slot, slots)
        known = None if ids is None else _next(ids, "token ids", slot, slots)
        if passage is None:
            continue
        for window in _checked(given, known, passage, dim, slot):
            yield place, window
        place += 1
    _check_exhausted(entries, "vectors", slots)
    if ids is not None:
        _check_exhausted(ids, "token ids", slots)


def _checked(given: Any, token_ids: Any, passage: Passage, dim: int, slot: int) -> Sequence[Window]:
    try:
        windows = _to_windows(given, token_ids, passage)
        for window in windows:
            check_window(window, dim, passage)
    except InputError as error:  # the id may be one that the caller never saw
        raise InputError(f"text {slot}: {error}") from None
    return windows


def _to_windows(given: Any, token_ids: Any, passage: Passage) -> Sequence[Window]:
    if isinstance(given, Sequence) and given and isinstance(given[0], Window):
        for window in given:
            _check_ids(window.encoded.token_ids, passage.id)
        return given
    vectors = _to_matrix(given, passage.id)
    if not len(vectors):
        raise InputError(
            f"there is no vector for {passage.id!r}; leave that passage out, or encode its text."
        )
    if token_ids is None:
        ids = np.full(len(vectors), UNKNOWN_TOKEN, dtype=np.int32)
    else:
        ids = _to_ids(token_ids, len(vectors), passage.id)
    nowhere = np.zeros((len(vectors), 2), dtype=np.int32)
    return [Window((0, len(passage.text)), TokenVectors(vectors, ids, nowhere))]


def _to_matrix(given: Any, id: str) -> TokenMatrix:
    try:
        vectors = np.asarray(given)
    except (TypeError, ValueError) as error:
        raise InputError(f"the vectors of {id!r} are no array of numbers ({error}).") from None
    if vectors.dtype.kind != "f" or vectors.ndim != 2:
        raise InputError(
            f"the vectors of {id!r} must be a matrix of floats with a row a vector, not "
            f"{vectors.dtype} of shape {vectors.shape}."
        )
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused then
        return vectors.astype(np.float32, copy=False)


def _to_ids(given: Any, number: int, id: str) -> npt.NDArray[np.int32]:
    ids = np.asarray(given)
    if ids.shape != (number,) or ids.dtype.kind not in "iu":
        raise InputError(
            f"the token ids of {id!r} must be {number} integers, one a vector, not {ids.dtype} of "
            f"shape {ids.shape}."
        )
    _check_ids(ids, id)
    return ids.astype(np.int32)


def _check_ids(ids: npt.NDArray[np.integer], id: str) -> None:
    if len(ids) and (ids.max() > np.iinfo(np.int32).max or ids.min() < UNKNOWN_TOKEN):
        raise InputError(
            f"the token ids of {id!r} run from {ids.min()} to {ids.max()}; they must fit into 32 "
            f"bits, and {UNKNOWN_TOKEN} is for what is unknown."
        )


def _next(entries: Iterator[Any], what: str, slot: int, slots: Sequence[Passage | None]) -> Any:
    for entry in entries:
        return entry
    first = slots[slot]
    named = f"text {slot}" if first is None else repr(first.id)
    raise InputError(
        f"there are {what} for {slot:,} passages, but {len(slots):,} texts; the first without "
        f"is {named}."
    )


def _check_exhausted(entries: Iterator[Any], what: str, slots: Sequence[Passage | None]) -> None:
    for _ in entries:
        raise InputError(
            f"there are {what} for more than the {len(slots):,} texts; give one text for each."
        )
