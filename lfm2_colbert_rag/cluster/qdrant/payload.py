"""Points as Qdrant keeps them: an id, named vectors, and a payload."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..._support.safe_json import JsonError, parse_json
from ...errors import IndexCorruptError
from ..fields import flatten
from ..plan import Named
from ..points import Key, Point, Sparse, Vectors
from .filters import ID, LANGUAGE, NUMBERS, OTHERS, OWNER, PRESENT, REV, STRINGS, WINDOW

_WINDOWS, _SPAN, _COUNT, _METADATA = "windows", "span", "vectors", "metadata"
_TEXT, _DIGEST, _TOKENS = "text", "digest", "tokens"
SHOWN = (ID, WINDOW, REV, LANGUAGE, _WINDOWS, _SPAN, _COUNT, _METADATA, _TEXT, _DIGEST)
"""The parts of a payload that a point is read from, but for its tokens."""
ALL_SHOWN = (*SHOWN, _TOKENS)


def written(m: Any, point: Point) -> Any:
    """Return a point as it is written."""
    flat = flatten(point.metadata)
    payload: dict[str, Any] = {
        ID: point.key.id,
        WINDOW: point.key.window,
        REV: point.rev,
        LANGUAGE: point.language,
        _WINDOWS: point.windows,
        _SPAN: list(point.span),
        _COUNT: point.count,
        _METADATA: json.dumps(point.metadata),
        _TOKENS: point.tokens,
        STRINGS: flat.strings,
        NUMBERS: flat.numbers,
        OTHERS: flat.others,
        PRESENT: flat.present,
    }
    if point.owner is not None:
        payload[OWNER] = point.owner
    if point.is_head:
        payload |= {_TEXT: point.text, _DIGEST: point.digest}
    return m.PointStruct(
        id=str(point.key.uuid), vector=_written_vectors(m, point.vectors), payload=payload
    )


def _written_vectors(m: Any, vectors: Vectors) -> dict[str, Any]:
    named: dict[str, Any] = {}
    for name in ("colbert", "mean"):
        value = getattr(vectors, name)
        if value is not None:
            named[name] = np.asarray(value, np.float32).tolist()
    for name in ("cent", "words"):
        value = getattr(vectors, name)
        if value is not None:
            named[name] = sparse(m, value)
    return named


def sparse(m: Any, vector: Sparse) -> Any:
    """Return a sparse vector."""
    return m.SparseVector(indices=vector.ids.tolist(), values=vector.weights.tolist())


def read(record: Any, vectors: Sequence[Named]) -> Point:
    """Read a record, or a point with a score.

    Raises:
        IndexCorruptError: it is no point of ours.
    """
    payload: Mapping[str, Any] = record.payload or {}
    try:
        first, last = payload[_SPAN]
        return Point(
            key=Key(payload[ID], int(payload[WINDOW])),
            rev=int(payload[REV]),
            windows=int(payload[_WINDOWS]),
            span=(int(first), int(last)),
            count=int(payload[_COUNT]),
            metadata=dict(parse_json(payload[_METADATA])),
            language=payload[LANGUAGE],
            text=payload.get(_TEXT),
            digest=payload.get(_DIGEST) or "",
            tokens=payload.get(_TOKENS),
            vectors=_read_vectors(record.vector or {}, vectors),
        )
    except (KeyError, TypeError, ValueError, JsonError) as error:
        raise IndexCorruptError(
            f"point {record.id} is none that this library wrote ({error!r:.100}). Keep others "
            "in another collection."
        ) from None


def _read_vectors(found: Mapping[str, Any], wanted: Sequence[Named]) -> Vectors:
    values: dict[str, Any] = {}
    for name in wanted:
        value = found.get(name)
        if value is None:
            continue
        if name in ("colbert", "mean"):
            values[name] = np.asarray(value, np.float32)
        else:
            values[name] = Sparse(
                np.asarray(value.indices, np.int64), np.asarray(value.values, np.float32)
            )
    return Vectors(**values)
