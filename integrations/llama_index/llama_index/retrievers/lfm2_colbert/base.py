"""The LlamaIndex view of an ``lfm2_colbert_rag`` retriever.

Everything in this package is translation: of nodes into passages, of filters, of hits into nodes.
Encoding, storing, filtering and ranking happen in :class:`lfm2_colbert_rag.Retriever`.
"""

from __future__ import annotations

import asyncio
import copy
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.callbacks import CallbackManager
from llama_index.core.constants import DEFAULT_SIMILARITY_TOP_K
from llama_index.core.instrumentation import get_dispatcher  # type: ignore[attr-defined]
from llama_index.core.schema import BaseNode, IndexNode, NodeWithScore, QueryBundle
from llama_index.core.vector_stores.types import MetadataFilters, VectorStoreQueryMode

from lfm2_colbert_rag import Client, Encoder, Hit, Mode, Retriever

from .core import Core, split_client_options
from .facts import with_facts
from .filters import constraint, of_documents
from .nodes import add_nodes, split_options, to_node
from .options import Way, check_cutoff, check_top, merge, readable

dispatcher = get_dispatcher(__name__)


class LFM2ColBERTRetriever(BaseRetriever):
    """Finds the nodes that answer a question, in whichever language either is written.

    A node's score is its relevance, 0 to 1, so that ``SimilarityPostprocessor`` cut-offs keep
    their meaning from one question to the next. ``aretrieve`` never blocks the event loop.

    Args:
        retriever: the opened :class:`lfm2_colbert_rag.Retriever` that does the work, or a
            :class:`lfm2_colbert_rag.Client` of a server that does. Several adapters and threads may
            share one; closing it is up to whoever opened it.
        similarity_top_k: how many nodes to return; fewer come back when fewer exist.
        filters: metadata filters, nested as deep as needed.
        node_ids: only these nodes; an empty list permits none.
        doc_ids: only nodes of these source documents; an empty list permits none.
        where: a filter in the core's own language, for nested keys, booleans and the like.
        callback_manager: receives LlamaIndex's callback events.
        object_map: what each ``IndexNode`` points to, by its ``index_id``.
        objects: nodes to take ``object_map`` from instead.
        verbose: report which objects retrieval enters.
        mode: what is compared: ``"late"`` (meanings), ``"lexical"`` (words) or ``"hybrid"``; None
            leaves it to the core.
        vector_store_query_mode: the same by LlamaIndex's names: ``"default"``, ``"text_search"``,
            ``"sparse"``, ``"hybrid"``, ``"semantic_hybrid"``; or ``"mmr"``, nodes that do not
            repeat one another. Instead of ``mode``.
        mmr_threshold: of ``"mmr"``: from 0 (diversity only) to 1 (relevance only).
        similarity_cutoff: leave out nodes with a lower score, 0 to 1, as
            ``SimilarityPostprocessor`` does.
        evidence: list under ``"evidence"`` in a node's metadata which of its words answered which
            words of the question: ``{"query": [0, 4], "passage": [9, 13], "strength": 0.8,
            "words": ["open", "opens"]}``, strongest first. Spans of the passage are those of the
            text that was encoded, metadata included. No model sees this.
        window_key: metadata key that says which part of a long text was found, as characters
            ``[start, end)``; it is absent where the text was searched in one piece.

    All constraints hold together, and before the best ``similarity_top_k`` are chosen. A blank
    question finds what they let through, in the order in which it was added and with a score of
    0; without a constraint it finds nothing.

    Raises:
        ConfigError: an option of the wrong kind, or ``mode`` together with
            ``vector_store_query_mode``.
        FilterError: a constraint is malformed.

    Example:
        >>> from llama_index.core.schema import TextNode
        >>> nodes = [TextNode(id_="lib", text="The library opens at nine.")]
        >>> retriever = LFM2ColBERTRetriever.from_nodes(nodes, model="hash")
        >>> retriever.retrieve("When does the library open?")[0].node.node_id
        'lib'
    """

    def __init__(
        self,
        retriever: Core,
        similarity_top_k: int = DEFAULT_SIMILARITY_TOP_K,
        filters: MetadataFilters | None = None,
        node_ids: Sequence[str] | None = None,
        doc_ids: Sequence[str] | None = None,
        where: Mapping[str, Any] | None = None,
        callback_manager: CallbackManager | None = None,
        object_map: dict[str, Any] | None = None,
        objects: list[IndexNode] | None = None,
        verbose: bool = False,
        *,
        mode: Mode | None = None,
        vector_store_query_mode: VectorStoreQueryMode | str | None = None,
        mmr_threshold: float | None = None,
        similarity_cutoff: float | None = None,
        evidence: bool = False,
        window_key: str | None = None,
    ) -> None:
        super().__init__(callback_manager, object_map, objects, verbose)
        self._retriever = retriever
        self.similarity_top_k = similarity_top_k
        self._where = constraint(filters, node_ids, doc_ids, where)
        self._way = Way.chosen(mode, vector_store_query_mode, mmr_threshold)
        self._cutoff = check_cutoff(similarity_cutoff)
        self._evidence = evidence
        self._window_key = window_key

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
            **options: arguments of the constructor, such as ``similarity_top_k``, and options of
                the index, such as ``storage`` (see :class:`lfm2_colbert_rag.IndexOptions`).

        Returns:
            A retriever over those nodes.

        Example:
            >>> from llama_index.core.schema import TextNode
            >>> nodes = [TextNode(text=text) for text in ("One apple.", "Two pears.")]
            >>> len(LFM2ColBERTRetriever.from_nodes(nodes, model="hash").retrieve("pears"))
            2
        """
        # Filled only once the options have been accepted: encoding may take hours.
        of_index, own = split_options(options)
        adapter = cls(Retriever.from_texts([], model=model, **of_index), **own)
        adapter.insert_nodes(nodes)
        return adapter

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        model: str | Path | Encoder | None = None,
        **options: Any,
    ) -> Self:
        """Open an index on disk, whichever tool made it.

        Args:
            path: the folder of the index.
            model: makes an empty index where there is none; an existing one knows its model.
            **options: arguments of the constructor, such as ``similarity_top_k``, and options of
                the index, such as ``storage`` (see :class:`lfm2_colbert_rag.IndexOptions`).

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
        of_index, own = split_options(options)
        retriever = Retriever.open(path, model=model, **of_index)
        try:
            return cls(retriever, **own)
        except BaseException:
            retriever.close()
            raise

    @classmethod
    def connect(
        cls, url: str, api_key: str | None = None, *, index: str | None = None, **options: Any
    ) -> Self:
        """Ask an index on a server (``lfm2-colbert serve``); needs the extra ``client``.

        Args:
            url: the server's address.
            api_key: a key or a token; None: what the environment has as ``LFM2_COLBERT_API_KEY``.
                Only then can the retriever be given to other processes.
            index: the name of the index; it may be left out where the key sees one only.
            **options: arguments of the constructor, such as ``similarity_top_k``, and options of
                :class:`lfm2_colbert_rag.Client`, such as ``timeout`` or ``verify``.

        Returns:
            A retriever over the passages there. Nothing is sent until it is asked.

        Example:
            >>> retriever = LFM2ColBERTRetriever.connect(
            ...     "https://search.example.org", "lcb_...", index="support", similarity_top_k=3
            ... )
            >>> retriever.retrieve("When does the library open?")  # doctest: +SKIP
            [NodeWithScore(...)]
        """
        of_client, own = split_client_options(options)
        client = Client(url, api_key, index=index, **of_client)
        try:
            return cls(client, **own)
        except BaseException:
            client.close()
            raise

    @property
    def retriever(self) -> Core:
        """The core retriever, or the client, that does the work."""
        return self._retriever

    @property
    def similarity_top_k(self) -> int:
        """How many nodes to return."""
        return self._similarity_top_k

    @similarity_top_k.setter
    def similarity_top_k(self, similarity_top_k: int) -> None:
        self._similarity_top_k = check_top(similarity_top_k, "similarity_top_k")

    def with_top_k(self, similarity_top_k: int | None) -> Self:
        """Return a retriever like this one that returns so many nodes; this one stays as it is.

        Args:
            similarity_top_k: how many; None for as many as now.

        Example:
            >>> from llama_index.core.schema import TextNode
            >>> nodes = [TextNode(text=text) for text in ("One apple.", "Two pears.")]
            >>> retriever = LFM2ColBERTRetriever.from_nodes(nodes, model="hash")
            >>> len(retriever.with_top_k(1).retrieve("pears"))
            1
        """
        other = copy.copy(self)
        if similarity_top_k is not None:
            other.similarity_top_k = similarity_top_k
        return other

    def insert_nodes(self, nodes: Iterable[BaseNode]) -> list[str]:
        """Add nodes, replacing those with the same id; all of them or, on error, none.

        A server takes 1,000 in one commit: those of commits before an error stay.

        Args:
            nodes: what to add; what is blank is left out, with a warning. Objects that
                ``IndexNode`` s point to are kept in memory only: pass them as ``objects`` when the
                index is opened again.

        Returns:
            The ids of all of them, in order.

        Example:
            >>> from llama_index.core.schema import TextNode
            >>> retriever = LFM2ColBERTRetriever.from_nodes([], model="hash")
            >>> retriever.insert_nodes([TextNode(id_="lib", text="The library opens at nine.")])
            ['lib']
        """
        nodes = list(nodes)
        ids = add_nodes(self._retriever, nodes)
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
        return self._retriever.delete(where=of_documents([ref_doc_id]))

    @dispatcher.span
    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return self._search(query_bundle)

    @dispatcher.span
    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        # The base class would run the sync method, and with it the model, on the event loop.
        return await asyncio.to_thread(self._search, query_bundle)

    def _search(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        questions = [readable(one) for one in _questions(query_bundle)]
        k, evidence = self._similarity_top_k, self._evidence
        found = self._way.ask(self._retriever, questions, k, self._where, evidence=evidence)
        ranked = merge(found)[: self._similarity_top_k]
        cutoff = self._cutoff
        return [
            self._scored(questions[place], hit)
            for place, hit in ranked
            if cutoff is None or hit.relevance >= cutoff
        ]

    def _scored(self, question: str, hit: Hit) -> NodeWithScore:
        node, score = to_node(hit), hit.relevance
        facts: dict[str, Any] = {}
        if self._evidence:
            facts["evidence"] = hit.quote_evidence(question)
        if self._window_key is not None and hit.window is not None:
            facts[self._window_key] = list(hit.window)
        if isinstance(node, IndexNode):
            # Recursive retrieval reads a score of 0 as "no score" and makes it a perfect 1.
            score = max(score, sys.float_info.min)
        return NodeWithScore(node=with_facts(node, facts), score=score)


def _questions(query_bundle: QueryBundle) -> list[str]:
    # Several where a transformation rewrote the question (HyDE). ``embedding`` is one vector for
    # the whole question, of another model: nothing that late interaction could use.
    return query_bundle.embedding_strs or [query_bundle.query_str]
