"""The engines that tests run: Qdrant's client without a server, and Qdrant's engine in process."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lfm2_colbert_rag.cluster.qdrant import Connection, QdrantBackend
from lfm2_colbert_rag.retriever.remote_facade import RemoteRetriever
from lfm2_colbert_rag.retriever.remote_opening import open_remote

pytest.importorskip("qdrant_client", reason="needs the extra 'qdrant'")
pytest.importorskip("qdrant_edge", reason="needs qdrant-edge-py, Qdrant's engine in process")

ENGINES = ("client", "engine")


def make_client(engine: str, folder: Path) -> Any:
    """Return what answers as a QdrantClient does."""
    if engine == "client":
        from qdrant_client import QdrantClient

        return QdrantClient(path=str(folder), force_disable_check_same_thread=True)
    from benchmarks.cluster.edge import EdgeClient

    return EdgeClient(folder)


def make_backend(client: Any, engine: str = "client", name: str = "docs") -> QdrantBackend:
    """Return a backend that asks a client."""
    connection = Connection(lambda: client, f"qdrant://{engine}/{name}", local=engine == "client")
    return QdrantBackend(connection, name, f"qdrant://{engine}/{name}")


@contextmanager
def engine_of(engine: str, name: str = "docs") -> Iterator[QdrantBackend]:
    """Give a backend over an engine in a temporary folder."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        client = make_client(engine, Path(folder) / "engine")
        try:
            yield make_backend(client, engine, name)
        finally:
            client.close()


def opened(backend: QdrantBackend, model: Any = "hash", **options: Any) -> RemoteRetriever:
    """Open an index at a backend, or make one."""
    read_only = options.pop("read_only", False)
    return RemoteRetriever(open_remote(backend, model, options, read_only=read_only))
