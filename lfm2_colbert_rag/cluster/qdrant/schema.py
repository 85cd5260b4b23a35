"""The collection that an index lies in."""

from __future__ import annotations

from typing import Any

from ..settings import ClusterSettings


def collection_options(
    m: Any, settings: ClusterSettings, replication: int | None
) -> dict[str, Any]:
    """Return what a collection is made with.

    Token vectors are what takes room, and are read for candidates only: they stay on the disk, and
    have no graph. What finds candidates is small and asked by every question: it stays in memory.

    Args:
        m: the module of Qdrant's data classes.
        settings: of the index.
        replication: how many copies there are to be; None for the engine's default.
    """
    dim = settings.index.dim
    vectors = {
        "colbert": m.VectorParams(
            size=dim,
            distance=m.Distance.DOT,  # means that pooling made are not of unit length
            datatype=m.Datatype(settings.stored),
            memory=m.Memory.COLD,
            multivector_config=m.MultiVectorConfig(comparator=m.MultiVectorComparator.MAX_SIM),
            hnsw_config=m.HnswConfigDiff(m=0),
        ),
        "mean": m.VectorParams(
            size=dim,
            distance=m.Distance.DOT,
            datatype=m.Datatype.FLOAT16,
            memory=m.Memory.CACHED,
            hnsw_config=m.HnswConfigDiff(m=16),
        ),
    }
    sparse = {
        "cent": m.SparseVectorParams(index=m.SparseIndexParams(datatype=m.Datatype.FLOAT16)),
        "words": m.SparseVectorParams(modifier=m.Modifier.IDF),
    }
    copies = {} if replication is None else {"replication_factor": replication}
    return {
        "vectors_config": vectors,
        "sparse_vectors_config": sparse,
        "shard_number": settings.shards,
        "on_disk_payload": True,
        **copies,
    }
