"""A vector store, for the parts of LlamaIndex that take nothing else.

``IngestionPipeline`` and ``VectorStoreIndex`` want a vector store, and hand it nodes with one
embedding each. This one ignores the embedding: it makes a vector for every token by itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self, Unpack

from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.schema import BaseNode, TransformComponent
from llama_index.core.vector_stores.types import (
    BasePydanticVectorStore,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryResult,
)

from lfm2_colbert_rag import Client, Encoder, IndexOptions, Retriever
from lfm2_colbert_rag.errors import ConfigError

from .core import Core
from .filters import constraint, for_deletion, of_documents
from .nodes import add_nodes, to_node
from .options import Way, check_top, readable

logger = logging.getLogger(__name__)


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
        retriever: the opened :class:`lfm2_colbert_rag.Retriever` that does the work, or a
            :class:`lfm2_colbert_rag.Client` of a server that does. Several adapters and threads may
            share one; closing it is up to whoever opened it.

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
    _retriever: Core = PrivateAttr()

    def __init__(self, retriever: Core) -> None:
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

    @classmethod
    def connect(
        cls, url: str, api_key: str | None = None, *, index: str | None = None, **options: Any
    ) -> Self:
        """Use an index on a server (``lfm2-colbert serve``); needs the extra ``client``.

        Args:
            url: the server's address.
            api_key: a key or a token; None: what the environment has as ``LFM2_COLBERT_API_KEY``.
            index: the name of the index; it may be left out where the key sees one only.
            **options: of :class:`lfm2_colbert_rag.Client`, such as ``timeout`` or ``verify``.

        Example:
            >>> LFM2ColBERTVectorStore.connect("https://search.example.org", "lcb_...").client
            <Client https://search.example.org>
        """
        return cls(Client(url, api_key, index=index, **options))

    @property
    def client(self) -> Core:
        """The core retriever, or the client, that does the work."""
        return self._retriever

    def add(self, nodes: Sequence[BaseNode], **kwargs: Any) -> list[str]:
        """Add nodes in one commit (on a server, 1,000 in each), replacing those with the same id.

        Args:
            nodes: what to add; what is blank is left out, with a warning. Embeddings are ignored.
            **kwargs: what other stores take; ignored.

        Returns:
            The ids of all the nodes, in order.
        """
        return add_nodes(self._retriever, nodes)

    def delete(self, ref_doc_id: str, **delete_kwargs: Any) -> None:
        """Delete the nodes of a source document, or a document that was stored whole.

        Args:
            ref_doc_id: the document's id; nothing happens if it is not known.
            **delete_kwargs: what other stores take; ignored.
        """
        self._log_deleted(self._retriever.delete(where=of_documents([ref_doc_id])))

    def get_nodes(
        self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None
    ) -> list[BaseNode]:
        """Return nodes, in the order in which they were added.

        Args:
            node_ids: which ones; those that are not there are passed over. None for all.
            filters: only what matches.
        """
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
            InputError: the filters have a group without a condition, which would match every node.
            FilterError: a filter is malformed.
        """
        if node_ids is None and filters is None:
            raise ConfigError("delete_nodes takes node_ids or filters; clear() deletes everything.")
        where = constraint(filters, node_ids)
        for_deletion(filters)
        self._log_deleted(self._retriever.delete(where=where))

    def clear(self) -> None:
        """Delete everything."""
        self._log_deleted(self._retriever.delete(all=True))

    def _log_deleted(self, number: int) -> None:
        # LlamaIndex has no place for it in what its methods return.
        logger.info("Deleted %d nodes; %d are left.", number, len(self._retriever))

    def persist(self, persist_path: str, fs: Any = None) -> None:
        """Do nothing: an index on disk, or on a server, is saved with every change.

        Raises:
            ConfigError: this one is in memory.
        """
        if isinstance(self._retriever, Retriever) and self._retriever.path is None:
            raise ConfigError(
                "this index is in memory, and persist() would not keep it. Write a copy with "
                "index.save(path) or store.client.backup(path), or start on the disk with "
                "LFM2ColBERTIndex(path=...) or LFM2ColBERTVectorStore.open(path)."
            )

    def query(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        """Find the nodes that answer a question best.

        Args:
            query: its ``query_str`` is asked; ``query_embedding`` and ``alpha`` are ignored.
                ``filters``, ``node_ids`` and ``doc_ids`` narrow it down before the best
                ``similarity_top_k`` are chosen; empty ``doc_ids`` permit nothing. Empty
                ``node_ids`` are no constraint here: ``VectorStoreIndex`` sends them with every
                question, as it knows of no nodes where a store keeps the text. ``mode`` may be
                ``DEFAULT``, ``MMR``, or one of those that look at words. A blank question finds
                what the constraints let through, with a similarity of 0; without any, nothing.
            **kwargs: ``where``, a filter in the core's own language; ``mmr_threshold``, from 0
                (diversity only) to 1, if the query says none; others are ignored.

        Returns:
            Nodes, relevances and ids, best first.

        Raises:
            ConfigError: a mode that needs embeddings, no question, or a ``similarity_top_k`` or
                ``mmr_threshold`` that is out of range.
            FilterError: a constraint is malformed.
        """
        if query.query_str is None:
            raise ConfigError("the query has no query_str; late interaction needs the question.")
        where = constraint(
            query.filters, query.node_ids or None, query.doc_ids, kwargs.get("where")
        )
        threshold = query.mmr_threshold
        way = Way.of(query.mode, kwargs.get("mmr_threshold") if threshold is None else threshold)
        k = check_top(query.similarity_top_k, "similarity_top_k")
        if way.mode == "hybrid" and query.hybrid_top_k is not None:
            k = check_top(query.hybrid_top_k, "hybrid_top_k")
        (hits,) = way.ask(self._retriever, [readable(query.query_str)], k, where)
        return VectorStoreQueryResult(
            nodes=[to_node(hit) for hit in hits],
            similarities=[hit.relevance for hit in hits],
            ids=[hit.id for hit in hits],
        )

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
