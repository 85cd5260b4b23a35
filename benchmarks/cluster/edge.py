# ruff: noqa: D102 - the methods are QdrantClient's
"""Qdrant's own engine in this process, behind the calls of its client that an index makes.

``qdrant-edge-py`` is the engine of the server as a library: the same segments, graphs and filters,
without shards, network or aliases. What is asked of it are the client's own data classes, so a
backend is run by it unchanged.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import qdrant_edge as edge
from qdrant_client import models

from .edge_values import filter_of, record, request_of, vector, vector_params


class EdgeClient:
    """Does what a ``QdrantClient`` does, as far as an index needs it, each collection a shard.

    Args:
        folder: where shards are kept; those that lie there are opened.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._shards = {
            one.name: edge.EdgeShard.load(str(one)) for one in folder.iterdir() if one.is_dir()
        }

    def close(self) -> None:
        for shard in self._shards.values():
            shard.close()
        self._shards = {}

    def _shard(self, name: str) -> edge.EdgeShard:
        if name not in self._shards:
            raise ValueError(f"Collection {name} not found")  # as the client without a server says
        return self._shards[name]

    def optimize(self) -> None:
        """Build graphs, as a server does by itself."""
        for shard in self._shards.values():
            shard.optimize()

    def collection_exists(self, name: str) -> bool:
        return name in self._shards

    def create_collection(
        self,
        name: str,
        vectors_config: dict[str, models.VectorParams],
        sparse_vectors_config: dict[str, models.SparseVectorParams] | None = None,
        **_: Any,
    ) -> None:
        config = edge.EdgeConfig(
            vectors={key: vector_params(one) for key, one in vectors_config.items()},
            sparse_vectors={
                key: edge.EdgeSparseVectorParams(
                    modifier=None if one.modifier is None else edge.Modifier.Idf
                )
                # An edge shard must have some vectors, though points need not.
                for key, one in (
                    sparse_vectors_config or {"none": models.SparseVectorParams()}
                ).items()
            },
        )
        folder = self._folder / name
        folder.mkdir()
        self._shards[name] = edge.EdgeShard.create(str(folder), config)

    def delete_collection(self, name: str) -> None:
        self._shards.pop(name).close()
        shutil.rmtree(self._folder / name)

    def create_payload_index(self, name: str, key: str, schema: Any, **_: Any) -> None:
        kinds = {
            "keyword": lambda: edge.KeywordIndexParams(is_tenant=schema.is_tenant),
            "integer": lambda: edge.IntegerIndexParams(lookup=schema.lookup, range=schema.range),
            "float": edge.FloatIndexParams,
        }
        made = kinds[str(schema.type.value if hasattr(schema.type, "value") else schema.type)]()
        self._shard(name).update(edge.UpdateOperation.create_field_index(key, made))

    def upsert(self, name: str, points: Sequence[models.PointStruct], **_: Any) -> None:
        made = [
            edge.Point(
                id=one.id,
                vector={key: vector(value) for key, value in one.vector.items()},
                payload=one.payload,
            )
            for one in points
        ]
        self._shard(name).update(edge.UpdateOperation.upsert_points(made))

    def delete(self, name: str, selector: models.FilterSelector, **_: Any) -> None:
        which = filter_of(selector.filter)
        self._shard(name).update(edge.UpdateOperation.delete_points_by_filter(which))

    def query_batch_points(self, name: str, requests: Sequence[Any], **_: Any) -> list[Any]:
        return [SimpleNamespace(points=self._query(name, one)) for one in requests]

    def _query(self, name: str, asked: models.QueryRequest) -> list[Any]:
        return [record(one) for one in self._shard(name).query(request_of(asked))]

    def retrieve(
        self,
        name: str,
        ids: Sequence[str],
        with_payload: Any = True,
        with_vectors: Any = False,
        **_: Any,
    ) -> list[Any]:
        found = self._shard(name).retrieve(list(ids), with_payload, with_vectors)
        return [record(one) for one in found]

    def scroll(
        self,
        name: str,
        *,
        scroll_filter: Any,
        limit: int,
        offset: str | None,
        with_payload: Any,
        with_vectors: Any,
        **_: Any,
    ) -> tuple[list[Any], Any]:
        asked = edge.ScrollRequest(
            offset, limit, filter_of(scroll_filter), with_payload, with_vectors
        )
        found, following = self._shard(name).scroll(asked)
        return [record(one) for one in found], following

    def count(self, name: str, *, count_filter: Any, exact: bool) -> Any:
        found = self._shard(name).count(edge.CountRequest(exact, filter_of(count_filter)))
        return SimpleNamespace(count=found)

    def facet(self, name: str, key: str, *, facet_filter: Any, limit: int, exact: bool) -> Any:
        asked = edge.FacetRequest(key, limit, exact, filter_of(facet_filter))
        return self._shard(name).facet(asked)
