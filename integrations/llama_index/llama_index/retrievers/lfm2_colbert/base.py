"""The LlamaIndex view of an ``lfm2_colbert_rag`` retriever.

Everything in this package is translation: of nodes into passages, of filters, of hits into nodes.
Encoding, storing, filtering and ranking happen in :class:`lfm2_colbert_rag.Retriever`.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.callbacks import CallbackManager
from llama_index.core.constants import DEFAULT_SIMILARITY_TOP_K
from llama_index.core.instrumentation import get_dispatcher  # type: ignore[attr-defined]
from llama_index.core.schema import BaseNode, IndexNode, NodeWithScore, QueryBundle
from llama_index.core.vector_stores.types import MetadataFilters
from typing_extensions import Self

from lfm2_colbert_rag import Encoder, Hit, Retriever
from lfm2_colbert_rag.errors import ConfigError
from lfm2_colbert_rag.filters import parse_where

from .filters import to_where
from .nodes import NODE_KEY, to_node, to_passage

dispatcher = get_dispatcher(__name__)


class LFM2ColBERTRetriever(BaseRetriever):
    """Finds the nodes that answer a question, in whichever language either is written.

    A node's score is its relevance, 0 to 1, so that ``SimilarityPostprocessor`` cut-offs keep
    their meaning from one question to the next. ``aretrieve`` never blocks the event loop.

    Args:
        retriever: the opened :class:`lfm2_colbert_rag.Retriever` that does the work. Several
            adapters and threads may share one; closing it is up to whoever opened it.
        similarity_top_k: how many nodes to return; fewer come back when fewer exist.
        filters: metadata filters, nested as deep as needed. Text matching is not supported.
        node_ids: only these nodes; an empty list is no constraint, as elsewhere in LlamaIndex.
        doc_ids: only nodes of these source documents; an empty list is no constraint.
        where: a filter in the core's own language, for nested keys, booleans and the like.
        callback_manager: receives LlamaIndex's callback events.
        object_map: what each ``IndexNode`` points to, by its ``index_id``.
        objects: nodes to take ``object_map`` from instead.
        verbose: report which objects retrieval enters.

    All constraints hold together, and before the best ``similarity_top_k`` are chosen.

    Example:
        >>> from llama_index.core.schema import TextNode
        >>> nodes = [TextNode(id_="lib", text="The library opens at nine.")]
        >>> retriever = LFM2ColBERTRetriever.from_nodes(nodes, model="hash")
        >>> retriever.retrieve("When does the library open?")[0].node.node_id
        'lib'
    """

    def __init__(
        self,
        retriever: Retriever,
        similarity_top_k: int = DEFAULT_SIMILARITY_TOP_K,
        filters: MetadataFilters | None = None,
        node_ids: Sequence[str] | None = None,
        doc_ids: Sequence[str] | None = None,
        where: Mapping[str, Any] | None = None,
        callback_manager: CallbackManager | None = None,
        object_map: dict[str, Any] | None = None,
        objects: list[IndexNode] | None = None,
        verbose: bool = False,
    ) -> None:
        super().__init__(callback_manager, object_map, objects, verbose)
        self._retriever = retriever
        self.similarity_top_k = similarity_top_k
        constraints = [
            to_where(filters) if filters else None,
            {f"{NODE_KEY}.node_id": {"$in": list(node_ids)}} if node_ids else None,
            {f"{NODE_KEY}.ref_doc_id": {"$in": list(doc_ids)}} if doc_ids else None,
            where,
        ]
        self._where = {"$and": [part for part in constraints if part]} if any(constraints) else None
        parse_where(self._where or {})  # what cannot be applied is refused here, not later

    @classmethod
    def from_nodes(
        cls,
        nodes: Iterable[BaseNode],
        *,
        model: str | Path | Encoder | None = None,
        **options: Any,
    ) -> Self:
        """Index nodes in memory.

        Args:
            nodes: what to index, split to the length that the model reads.
            model: ``"nano"``, a hub id, a local folder or an encoder; the core's default when
                left out.
            **options: arguments of the constructor, such as ``similarity_top_k``.

        Returns:
            A retriever over those nodes.

        Example:
            >>> from llama_index.core.schema import TextNode
            >>> nodes = [TextNode(text=text) for text in ("One apple.", "Two pears.")]
            >>> len(LFM2ColBERTRetriever.from_nodes(nodes, model="hash").retrieve("pears"))
            2
        """
        # Filled only once the options have been accepted: encoding may take hours.
        adapter = cls(Retriever.from_texts([], model=model), **options)
        adapter.insert_nodes(nodes)
        return adapter

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        model: str | Path | Encoder | None = None,
        create: bool = True,
        **options: Any,
    ) -> Self:
        """Open an index on disk, whichever tool made it.

        Args:
            path: the folder of the index.
            model: as in :meth:`from_nodes`; an existing index remembers its own.
            create: make an empty index where there is none.
            **options: arguments of the constructor, such as ``similarity_top_k``.

        Returns:
            A retriever over the passages on disk; what is inserted into it stays there.

        Example:
            >>> from tempfile import TemporaryDirectory
            >>> from llama_index.core.schema import TextNode
            >>> with TemporaryDirectory() as folder:
            ...     retriever = LFM2ColBERTRetriever.open(f"{folder}/my.index", model="hash")
            ...     ids = retriever.insert_nodes([TextNode(text="The library opens at nine.")])
            ...     found = retriever.retrieve("library")
            ...     retriever.retriever.close()
            >>> found[0].node.get_content()
            'The library opens at nine.'
        """
        retriever = Retriever.open(path, model=model, create=create)
        try:
            return cls(retriever, **options)
        except BaseException:
            retriever.close()
            raise

    @property
    def retriever(self) -> Retriever:
        """The core retriever that does the work."""
        return self._retriever

    @property
    def similarity_top_k(self) -> int:
        """How many nodes to return."""
        return self._similarity_top_k

    @similarity_top_k.setter
    def similarity_top_k(self, similarity_top_k: int) -> None:
        if not isinstance(similarity_top_k, int) or similarity_top_k < 1:
            raise ConfigError(
                f"similarity_top_k must be a whole number from 1 up, not {similarity_top_k!r}"
            )
        self._similarity_top_k = similarity_top_k

    def insert_nodes(self, nodes: Iterable[BaseNode]) -> list[str]:
        """Add nodes, replacing those with the same id; all of them or, on error, none.

        Args:
            nodes: what to add. Objects that ``IndexNode`` s point to are kept in memory only:
                pass them as ``objects`` when the index is opened again.

        Returns:
            Their ids, in order.

        Example:
            >>> from llama_index.core.schema import TextNode
            >>> retriever = LFM2ColBERTRetriever.from_nodes([], model="hash")
            >>> retriever.insert_nodes([TextNode(id_="lib", text="The library opens at nine.")])
            ['lib']
        """
        nodes = list(nodes)
        passages = [to_passage(node) for node in nodes]
        ids = self._retriever.add(
            [passage.text for passage in passages],
            ids=[passage.id for passage in passages],
            metadata=[passage.metadata for passage in passages],
        )
        pointers = [node for node in nodes if isinstance(node, IndexNode) and node.obj is not None]
        self.object_map.update({node.index_id: node.obj for node in pointers})
        return ids

    def delete_nodes(self, node_ids: Sequence[str]) -> int:
        """Remove nodes.

        Args:
            node_ids: which ones; ids that are not there are passed over.

        Returns:
            How many were removed.

        Example:
            >>> from llama_index.core.schema import TextNode
            >>> nodes = [TextNode(id_="lib", text="The library opens at nine.")]
            >>> LFM2ColBERTRetriever.from_nodes(nodes, model="hash").delete_nodes(["lib", "pool"])
            1
        """
        return self._retriever.delete(node_ids)

    def delete_ref_doc(self, ref_doc_id: str) -> int:
        """Remove every node of a source document, for example before inserting its new version.

        Args:
            ref_doc_id: the document's id.

        Returns:
            How many nodes were removed.

        Example:
            >>> from llama_index.core import Document
            >>> from llama_index.core.node_parser import SentenceSplitter
            >>> document = Document(text="The library opens at nine.", id_="house-rules")
            >>> nodes = SentenceSplitter().get_nodes_from_documents([document])
            >>> LFM2ColBERTRetriever.from_nodes(nodes, model="hash").delete_ref_doc("house-rules")
            1
        """
        return self._retriever.delete(where={f"{NODE_KEY}.ref_doc_id": ref_doc_id})

    @dispatcher.span
    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        queries = _queries(query_bundle)
        found = self._retriever.search_many(queries, self._similarity_top_k, where=self._where)
        return self._best(found)

    @dispatcher.span
    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        # The base class would run the sync method, and with it the model, on the event loop.
        searches = (
            self._retriever.asearch(query, self._similarity_top_k, where=self._where)
            for query in _queries(query_bundle)
        )
        return self._best(await asyncio.gather(*searches))

    def _best(self, found: Iterable[Sequence[Hit]]) -> list[NodeWithScore]:
        best: dict[str, Hit] = {}
        for hit in chain.from_iterable(found):
            if hit.id not in best or hit.relevance > best[hit.id].relevance:
                best[hit.id] = hit
        ranked = sorted(best.values(), key=lambda hit: hit.relevance, reverse=True)
        return [_scored(hit) for hit in ranked[: self._similarity_top_k]]


def _queries(query_bundle: QueryBundle) -> list[str]:
    # Several where a transformation rewrote the question (HyDE). ``embedding`` is one vector for
    # the whole question, of another model: nothing that late interaction could use.
    return query_bundle.embedding_strs or [query_bundle.query_str]


def _scored(hit: Hit) -> NodeWithScore:
    node = to_node(hit)
    score = hit.relevance
    if isinstance(node, IndexNode):
        # Recursive retrieval reads a score of 0 as "no score" and makes it a perfect 1.
        score = max(score, sys.float_info.min)
    return NodeWithScore(node=node, score=score)
