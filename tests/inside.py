"""What tests look at inside an index: its folder, opened a second time and beside the retriever."""

from __future__ import annotations

from pathlib import Path
from weakref import WeakKeyDictionary

from lfm2_colbert_rag import Passage, Retriever
from lfm2_colbert_rag.index.base import LiveSegment
from lfm2_colbert_rag.storage.settings import IndexSettings
from lfm2_colbert_rag.storage.store import Store

SETTINGS = IndexSettings("hash", 32, {"kind": "hash"}).to_json()
_opened: WeakKeyDictionary[Retriever, Store] = WeakKeyDictionary()


def store_of(retriever: Retriever) -> Store:
    """Return the store of a retriever's folder, another than the retriever's own."""
    if retriever not in _opened:
        assert isinstance(retriever.path, Path), "an index in memory has no folder to look into"
        _opened[retriever] = Store(retriever.path)
    return _opened[retriever]


def segments_of(retriever: Retriever) -> list[LiveSegment]:
    """Return the live segments as of now."""
    return list(store_of(retriever).snapshot().segments)


def rows_of(retriever: Retriever, ids: list[str]) -> dict[str, int]:
    """Return the live row of each id that has one."""
    store = store_of(retriever)
    return store.catalog.rows_by_id(ids, store.catalog.generation())


def passages_of(retriever: Retriever, rows: list[int]) -> dict[int, Passage]:
    """Return passages by row, live or dead."""
    return store_of(retriever).catalog.passages(rows)
