"""What Qdrant's client says, in the words of its engine."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import qdrant_edge as edge
from qdrant_client import models

_DATATYPES = {
    models.Datatype.FLOAT16: edge.VectorStorageDatatype.Float16,
    models.Datatype.TURBO8: edge.VectorStorageDatatype.Turbo8,
}
_MEMORY = {
    models.Memory.COLD: edge.Memory.Cold,
    models.Memory.CACHED: edge.Memory.Cached,
    models.Memory.PINNED: edge.Memory.Pinned,
}


def vector_params(given: models.VectorParams) -> edge.EdgeVectorParams:
    """Translate how vectors of a name are kept."""
    many = given.multivector_config is not None
    graph = edge.HnswIndexConfig(
        m=given.hnsw_config.m, ef_construct=100, full_scan_threshold=10_000
    )
    return edge.EdgeVectorParams(
        size=given.size,
        distance=edge.Distance.Dot,
        datatype=_DATATYPES[given.datatype],
        memory=_MEMORY[given.memory],
        multivector_config=edge.MultiVectorConfig(edge.MultiVectorComparator.MaxSim)
        if many
        else None,
        hnsw_config=graph,
    )


def vector(given: Any) -> Any:
    """Translate a vector."""
    if isinstance(given, models.SparseVector):
        return edge.SparseVector(given.indices, given.values)
    return given


def filter_of(given: models.Filter | None) -> edge.Filter | None:
    """Translate a filter."""
    if given is None:
        return None
    parts = {
        name: None
        if getattr(given, name) is None
        else [_condition(one) for one in _listed(getattr(given, name))]
        for name in ("must", "should", "must_not")
    }
    return edge.Filter(**parts)


def params_of(given: models.SearchParams | None) -> edge.SearchParams | None:
    """Translate how a search goes."""
    if given is None:
        return None
    terms = None if given.idf is None else edge.IdfParams(filter_of(given.idf.corpus))
    return edge.SearchParams(exact=bool(given.exact), idf=terms)


def _listed(given: Any) -> list[Any]:
    return given if isinstance(given, list) else [given]


def _condition(given: Any) -> Any:
    if isinstance(given, models.Filter):
        return filter_of(given)
    if isinstance(given, models.HasIdCondition):
        return edge.HasIdCondition(set(given.has_id))
    if given.range is not None:
        limits = {name: getattr(given.range, name) for name in ("gt", "gte", "lt", "lte")}
        return edge.FieldCondition(given.key, range=edge.RangeFloat(**limits))
    if isinstance(given.match, models.MatchAny):
        return edge.FieldCondition(given.key, match=edge.MatchAny(given.match.any))
    return edge.FieldCondition(given.key, match=edge.MatchValue(given.match.value))


def request_of(asked: models.QueryRequest) -> edge.QueryRequest:
    """Translate a search."""
    params = params_of(asked.params)
    return edge.QueryRequest(
        limit=asked.limit,
        query=edge.Query.Nearest(vector(asked.query), asked.using),
        prefetches=[
            edge.Prefetch(
                limit=one.limit,
                query=edge.Query.Nearest(vector(one.query), one.using),
                filter=filter_of(one.filter),
                params=params,
            )
            for one in asked.prefetch or ()
        ],
        filter=filter_of(asked.filter),
        params=params,
        with_payload=asked.with_payload,
        with_vector=asked.with_vector,
    )


def record(found: Any) -> Any:
    """Return what the client gives for a point that was found."""
    return SimpleNamespace(
        id=str(found.id),
        payload=found.payload,
        vector=found.vector,
        score=getattr(found, "score", 0.0),
    )
