"""What LlamaIndex's own saving and loading need to know of an index: where it is.

The index itself is written with every change; there is nothing else to keep.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from llama_index.core.data_structs.data_structs import IndexStruct
from llama_index.core.data_structs.registry import INDEX_STRUCT_TYPE_TO_INDEX_STRUCT_CLASS
from llama_index.core.indices.registry import INDEX_STRUCT_TYPE_TO_INDEX_CLASS
from llama_index.core.storage.storage_context import StorageContext

from lfm2_colbert_rag import Retriever

from .vector_stores import LFM2ColBERTVectorStore

STRUCT_TYPE = "lfm2_colbert"


@dataclass
class LFM2ColBERTStruct(IndexStruct):
    """Where an index lies; ``load_index_from_storage`` opens it there.

    Attributes:
        path: the folder; empty for an index in memory.
    """

    path: str = ""

    @classmethod
    def get_type(cls) -> Any:
        """Return the name under which LlamaIndex keeps it."""
        return STRUCT_TYPE


class Storage(StorageContext):
    """A storage context that refuses to keep an index in memory before anything is written."""

    def persist(self, *args: Any, **kwargs: Any) -> None:
        """Write where the index is, beside what else LlamaIndex keeps.

        Raises:
            ConfigError: the index is in memory.
        """
        self.vector_store.persist("")
        super().persist(*args, **kwargs)


def storage_of(retriever: Retriever) -> Storage:
    """Return the storage context of an index over a core retriever."""
    context = Storage.from_defaults(vector_store=LFM2ColBERTVectorStore(retriever))
    assert isinstance(context, Storage)
    return context


def struct_of(retriever: Retriever) -> LFM2ColBERTStruct:
    """Return what is to be kept of an index over a core retriever."""
    return LFM2ColBERTStruct(path="" if retriever.path is None else str(retriever.path))


def register(index_class: Any) -> None:
    """Let ``load_index_from_storage`` know by which class an index is opened."""
    INDEX_STRUCT_TYPE_TO_INDEX_STRUCT_CLASS[STRUCT_TYPE] = LFM2ColBERTStruct  # type: ignore[index]
    INDEX_STRUCT_TYPE_TO_INDEX_CLASS[STRUCT_TYPE] = index_class  # type: ignore[index]
