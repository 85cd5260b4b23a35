"""A vector store, for the parts of LlamaIndex that take nothing else.

``IngestionPipeline`` and ``VectorStoreIndex`` want a vector store, and hand it nodes with one
embedding each. This one ignores the embedding: it makes a vector for every token by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self, Unpack

from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.schema import BaseNode, TransformComponent
from llama_index.core.vector_stores.types import (
    BasePydanticVectorStore,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
    VectorStoreQueryResult,
)

from lfm2_colbert_rag import Encoder, Hit, IndexOptions, Mode, Retriever
from lfm2_colbert_rag.errors import ConfigError

from .filters import constraint, of_documents
from .nodes import to_node, to_passage, with_text

_MODES: dict[VectorStoreQueryMode, Mode | None] = {
    VectorStoreQueryMode.DEFAULT: None,
    VectorStoreQueryMode.MMR: None,
    VectorStoreQueryMode.TEXT_SEARCH: "lexical",
    VectorStoreQueryMode.SPARSE: "lexical",
    VectorStoreQueryMode.HYBRID: "hybrid",
    VectorStoreQueryMode.SEMANTIC_HYBRID: "hybrid",
}


class LFM2ColBERTPlaceholder(TransformComponent):
    """Lets an ``IngestionPipeline`` pass nodes on to :class:`LFM2ColBERTVectorStore`.

    A pipeline silently drops nodes without an embedding. Put this last among its
    transformations: it gives each node an embedding of one number, which the store ignores.

    Example:
        >>> from llama_index.core.schema import TextNode
        >>> [node] = LFM2ColBERTPlaceholder()([TextNode(text="Open at nine.")])
        >>> node.embedding
        [0.0]
    """

    def __call__(self, nodes: Sequence[BaseNode], **kwargs: Any) -> list[BaseNode]:
        """Return copies of the nodes, each with a placeholder."""
        return [node.model_copy(update={"embedding": [0.0]}) for node in nodes]


class LFM2ColBERTVectorStore(BasePydanticVectorStore):
    """Stores nodes as token vectors, and finds them by late interaction.

    Similarities are relevances, 0 to 1. Adding a node again replaces it. No async method blocks
    the event loop. Give a ``VectorStoreIndex`` over it ``embed_model=MockEmbedding(embed_dim=1)``,
    since its own would be asked for nothing; :class:`LFM2ColBERTIndex` needs none at all.

    Args:
        retriever: the opened :class:`lfm2_colbert_rag.Retriever` that does the work. Several
            adapters and threads may share one; closing it is up to whoever opened it.

    Example:
        >>> from llama_index.core.ingestion import IngestionPipeline
        >>> from llama_index.core.schema import TextNode
        >>> store = LFM2ColBERTVectorStore.open_in_memory("hash")
        >>> pipeline = IngestionPipeline(
        ...     transformations=[LFM2ColBERTPlaceholder()], vector_store=store
        ... )
        >>> nodes = pipeline.run(nodes=[TextNode(id_="lib", text="The library opens at nine.")])
        >>> store.query(VectorStoreQuery(query_str="library")).ids
        ['lib']
    """

    stores_text: bool = True
    # The question itself is wanted, not an embedding of it.
    is_embedding_query: bool = False
    _retriever: Retriever = PrivateAttr()

    def __init__(self, retriever: Retriever) -> None:
        super().__init__(stores_text=True, is_embedding_query=False)
        self._retriever = retriever

    def __getstate__(self) -> dict[str, Any]:
        """Refuse to travel without the index: the base class leaves out what cannot be pickled."""
        self._retriever.__reduce__()
        state: dict[str, Any] = super().__getstate__()
        return state

    @classmethod
    def class_name(cls) -> str:
        """Return the name under which LlamaIndex knows the class."""
        return "LFM2ColBERTVectorStore"

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        model: str | Path | Encoder | None = None,
        **options: Unpack[IndexOptions],
    ) -> Self:
        """Open an index on disk, whichever tool made it.

        Args:
            path: the folder of the index.
            model: ``"nano"``, a hub id, a local folder or an encoder: makes an empty index where
                there is none. An existing one knows its model.
            **options: see :class:`lfm2_colbert_rag.IndexOptions`.
        """
        return cls(Retriever.open(path, model=model, **options))

    @classmethod
    def open_in_memory(
        cls, model: str | Path | Encoder | None = None, **options: Unpack[IndexOptions]
    ) -> Self:
        """Make an empty store that lasts as long as this object.

        Args:
            model: see :meth:`open`; the core's default when left out.
            **options: see :meth:`open`.
        """
        return cls(Retriever.from_texts([], model=model, **options))

    @property
    def client(self) -> Retriever:
        """The core retriever that does the work."""
        return self._retriever

    def add(self, nodes: Sequence[BaseNode], **kwargs: Any) -> list[str]:
        """Add nodes in one commit, replacing those with the same id.

        Args:
            nodes: what to add; nodes without text are left out. Embeddings are ignored.
            **kwargs: what other stores take; ignored.

        Returns:
            The ids of all the nodes, in order.
        """
        passages = [to_passage(node) for node in with_text(nodes)]
        self._retriever.add(
            [passage.text for passage in passages],
            ids=[passage.id for passage in passages],
            metadata=[passage.metadata for passage in passages],
        )
        return [node.node_id for node in nodes]

    def delete(self, ref_doc_id: str, **delete_kwargs: Any) -> None:
        """Delete the nodes of a source document, or a document that was stored whole.

        Args:
            ref_doc_id: the document's id; nothing happens if it is not known.
            **delete_kwargs: what other stores take; ignored.
        """
        self._retriever.delete(where=of_documents([ref_doc_id]))

    def get_nodes(
        self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None
    ) -> list[BaseNode]:
        """Return nodes, in the order in which they were added.

        Args:
            node_ids: which ones; those that are not there are passed over. None for all.
            filters: only what matches.
        """
        if node_ids is not None and not node_ids:
            return []
        return [to_node(one) for one in self._retriever.passages(constraint(filters, node_ids))]

    def delete_nodes(
        self,
        node_ids: list[str] | None = None,
        filters: MetadataFilters | None = None,
        **delete_kwargs: Any,
    ) -> None:
        """Delete nodes by id, by filter, or those to which both apply.

        Args:
            node_ids: which ones; those that are not there are passed over.
            filters: only what matches.
            **delete_kwargs: what other stores take; ignored.

        Raises:
            ConfigError: neither was given.
        """
        if node_ids is None and filters is None:
            raise ConfigError("delete_nodes takes node_ids or filters; clear() deletes everything.")
        where = constraint(filters, node_ids)
        if where is not None and (node_ids is None or node_ids):
            self._retriever.delete(where=where)

    def clear(self) -> None:
        """Delete everything."""
        self._retriever.delete(all=True)

    def persist(self, persist_path: str, fs: Any = None) -> None:
        """Do nothing: an index on disk is saved with every change.

        Raises:
            ConfigError: this one is in memory.
        """
        if self._retriever.path is None:
            raise ConfigError(
                "this index is in memory, and persist() would not keep it. Write a copy with "
                "store.client.backup(path), or start with LFM2ColBERTVectorStore.open(path)."
            )

    def query(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        """Find the nodes that answer a question best.

        Args:
            query: its ``query_str`` is asked; ``query_embedding`` and ``alpha`` are ignored.
                ``filters``, ``node_ids`` and ``doc_ids`` narrow it down before the best
                ``similarity_top_k`` are chosen; empty ones do not. ``mode`` may be ``DEFAULT``,
                ``MMR``, or one of those that look at words.
            **kwargs: ``where``, a filter in the core's own language; ``mmr_threshold``, from 0
                (diversity only) to 1, if the query says none; others are ignored.

        Returns:
            Nodes, relevances and ids, best first.

        Raises:
            ConfigError: a mode that needs embeddings, no question, or an ``mmr_threshold`` that
                is no number from 0 to 1.
        """
        if query.query_str is None:
            raise ConfigError("the query has no query_str; late interaction needs the question.")
        if query.mode not in _MODES:
            known = ", ".join(mode.name for mode in _MODES)
            raise ConfigError(f"mode {query.mode!r} needs embeddings of nodes; there are {known}.")
        hits = self._search(query, query.query_str, kwargs)
        return VectorStoreQueryResult(
            nodes=[to_node(hit) for hit in hits],
            similarities=[hit.relevance for hit in hits],
            ids=[hit.id for hit in hits],
        )

    def _search(self, query: VectorStoreQuery, text: str, kwargs: dict[str, Any]) -> list[Hit]:
        where = constraint(query.filters, query.node_ids, query.doc_ids, kwargs.get("where"))
        k, mode = query.similarity_top_k, _MODES[query.mode]
        if query.mode != VectorStoreQueryMode.MMR:
            hybrid_k = query.hybrid_top_k if mode == "hybrid" else None
            return self._retriever.search(text, hybrid_k or k, where=where, mode=mode)
        trade_off = query.mmr_threshold
        if trade_off is None:
            trade_off = kwargs.get("mmr_threshold", 0.5)
        if not 0 <= trade_off <= 1:
            raise ConfigError(
                "mmr_threshold must lie between 0 (diversity only) and 1 (relevance only), not "
                f"{trade_off!r}."
            )
        return self._retriever.search(text, k, where=where, diversity=1 - trade_off)

    # The base class would run these on the event loop.
    async def async_add(self, nodes: Sequence[BaseNode], **kwargs: Any) -> list[str]:
        """Do what :meth:`add` does without blocking the event loop."""
        return await asyncio.to_thread(self.add, nodes, **kwargs)

    async def adelete(self, ref_doc_id: str, **delete_kwargs: Any) -> None:
        """Do what :meth:`delete` does without blocking the event loop."""
        await asyncio.to_thread(self.delete, ref_doc_id, **delete_kwargs)

    async def aget_nodes(
        self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None
    ) -> list[BaseNode]:
        """Do what :meth:`get_nodes` does without blocking the event loop."""
        return await asyncio.to_thread(self.get_nodes, node_ids, filters)

    async def adelete_nodes(
        self,
        node_ids: list[str] | None = None,
        filters: MetadataFilters | None = None,
        **delete_kwargs: Any,
    ) -> None:
        """Do what :meth:`delete_nodes` does without blocking the event loop."""
        await asyncio.to_thread(self.delete_nodes, node_ids, filters, **delete_kwargs)

    async def aclear(self) -> None:
        """Do what :meth:`clear` does without blocking the event loop."""
        await asyncio.to_thread(self.clear)

    async def aquery(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        """Do what :meth:`query` does without blocking the event loop."""
        return await asyncio.to_thread(self.query, query, **kwargs)
