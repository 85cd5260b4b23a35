"""Points as rows: what is written of them, and how they are read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..._support.safe_json import JsonError, parse_json
from ...errors import IndexCorruptError
from ...index.array_types import FloatArray
from ...types import TokenMatrix
from ..plan import Named
from ..points import Key, Point, Sparse, Vectors
from .flat import flat_of, folds_of

__all__ = ["COLUMNS", "WRITTEN", "literal", "read", "read_matrix", "shown", "written"]

WRITTEN = (
    "uuid", "pid", "owner", "w", "rev", "windows", "first", "last", "vectors", "metadata", "flat",
    "folds", "lang", "body", "digest", "tokens", "mean", "colbert", "cent", "words",
)  # fmt: skip
"""The columns of a point."""

COLUMNS = (
    "pid", "w", "rev", "windows", "first", "last", "vectors", "metadata", "lang", "body", "digest",
)  # fmt: skip
"""Those that a point is read from, but for its tokens and its vectors."""

_AS = {"mean": "mean::real[] AS mean"}
_SPARSE = np.dtype([("id", "<u4"), ("weight", "<f4")])


def written(point: Point) -> tuple[Any, ...]:
    """Return the row of a point, in the order of :data:`WRITTEN`."""
    vectors = point.vectors
    return (
        point.key.uuid,
        point.key.id,
        point.owner,
        point.key.window,
        point.rev,
        point.windows,
        *point.span,
        point.count,
        json.dumps(point.metadata),
        flat_of(point.metadata),
        folds_of(point.key.id),
        point.language,
        point.text,
        point.digest,
        point.tokens,
        None if vectors.mean is None else literal(vectors.mean),
        None if vectors.colbert is None else vectors.colbert.astype("<f2").tobytes(),
        _pack(vectors.cent),
        _pack(vectors.words),
    )


def literal(vector: FloatArray) -> str:
    """Write a vector as pgvector reads it.

    Example:
        >>> literal(np.array([1, 0.5], np.float32))
        '[1.0,0.5]'
    """
    return f"[{','.join(map(repr, np.asarray(vector, np.float32).tolist()))}]"


def shown(vectors: Sequence[Named] = (), *, tokens: bool = False) -> str:
    """Return what is selected of a row that :func:`read` is to read."""
    names = [*COLUMNS, *(["tokens"] if tokens else []), *(_AS.get(one, one) for one in vectors)]
    return ", ".join(names)


def read(row: Sequence[Any], vectors: Sequence[Named] = (), *, tokens: bool = False) -> Point:
    """Read a row that was selected by :func:`shown`.

    Raises:
        IndexCorruptError: it makes no sense.
    """
    known = len(COLUMNS)
    pid, w, rev, windows, first, last, count, metadata, lang, body, digest = row[:known]
    rest = list(row[known:])
    packed = rest.pop(0) if tokens else None
    try:
        return Point(
            key=Key(pid, w),
            rev=rev,
            windows=windows,
            span=(first, last),
            count=count,
            metadata=dict(parse_json(metadata)),
            language=lang,
            text=body,
            digest=digest,
            tokens=packed,
            vectors=Vectors(**dict(_read_vectors(vectors, rest, count))),
        )
    except (TypeError, ValueError, JsonError) as error:
        raise IndexCorruptError(
            f"window {w} of {pid!r} cannot be read ({error!r:.100}). Add the passage again."
        ) from None


def read_matrix(data: bytes, count: int) -> TokenMatrix:
    """Return the token vectors of a row.

    Args:
        data: its column ``colbert``.
        count: how many there are.

    Raises:
        ValueError: that is no multiple.
    """
    return np.frombuffer(data, "<f2").reshape(count, -1).astype(np.float32)


def _read_vectors(names: Sequence[Named], values: Sequence[Any], count: int) -> Any:
    for name, value in zip(names, values, strict=True):
        if value is None:
            continue
        if name == "colbert":
            yield name, read_matrix(value, count)
        elif name == "mean":
            yield name, np.asarray(value, np.float32)
        else:
            both = np.frombuffer(value, _SPARSE)
            yield name, Sparse(both["id"].astype(np.int64), both["weight"].astype(np.float32))


def _pack(vector: Sparse | None) -> bytes | None:
    if vector is None:
        return None
    both = np.empty(len(vector.ids), _SPARSE)
    both["id"], both["weight"] = vector.ids, vector.weights
    return both.tobytes()
