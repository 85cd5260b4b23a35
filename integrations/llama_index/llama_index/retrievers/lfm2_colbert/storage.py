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
from lfm2_colbert_rag.errors import ConfigError

from .core import Core
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
            ConfigError: the index is in memory, or on a server.
        """
        if not isinstance(self.vector_store.client, Retriever):
            raise ConfigError(
                "this index is on a server, which keeps it; there is nothing to persist. Make a "
                "Client again, and give it to LFM2ColBERTIndex as retriever=."
            )
        self.vector_store.persist("")
        super().persist(*args, **kwargs)


def storage_of(retriever: Core) -> Storage:
    """Return the storage context of an index over a core retriever."""
    context = Storage.from_defaults(vector_store=LFM2ColBERTVectorStore(retriever))
    assert isinstance(context, Storage)
    return context


def struct_of(retriever: Core) -> LFM2ColBERTStruct:
    """Return what is to be kept of an index over a core retriever."""
    path = retriever.path if isinstance(retriever, Retriever) else None
    return LFM2ColBERTStruct(path="" if path is None else str(path))


def register(index_class: Any) -> None:
    """Let ``load_index_from_storage`` know by which class an index is opened."""
    INDEX_STRUCT_TYPE_TO_INDEX_STRUCT_CLASS[STRUCT_TYPE] = LFM2ColBERTStruct  # type: ignore[index]
    INDEX_STRUCT_TYPE_TO_INDEX_CLASS[STRUCT_TYPE] = index_class  # type: ignore[index]
