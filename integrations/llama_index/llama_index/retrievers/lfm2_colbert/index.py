"""An index as LlamaIndex knows it: documents in, retrievers and query engines out."""

from __future__ import annotations

import asyncio
import copy
import inspect
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self
from unicodedata import normalize

from llama_index.core.base.base_query_engine import BaseQueryEngine
from llama_index.core.callbacks import CallbackManager
from llama_index.core.chat_engine.types import BaseChatEngine, ChatMode
from llama_index.core.indices.base import BaseIndex
from llama_index.core.llms.utils import LLMType
from llama_index.core.schema import BaseNode, Document, IndexNode, TransformComponent
from llama_index.core.storage.docstore.types import RefDocInfo
from llama_index.core.storage.storage_context import StorageContext

from lfm2_colbert_rag import Encoder, IndexOptions, Retriever
from lfm2_colbert_rag.errors import ConfigError

from .base import LFM2ColBERTRetriever
from .core import Core
from .documents import clean, split
from .filters import of_documents
from .nodes import add_nodes, source_of, to_node
from .storage import LFM2ColBERTStruct, register, storage_of, struct_of

logger = logging.getLogger(__name__)


class LFM2ColBERTIndex(BaseIndex[LFM2ColBERTStruct]):
    """Keeps documents, split into nodes, and finds them by late interaction.

    Everything is in the core's index: nodes, vectors, and what the documents looked like, so that
    :meth:`refresh_ref_docs` works after :meth:`load` as well. LlamaIndex's docstore stays empty
    and its embedding model unused. ``storage_context.persist(folder)`` writes where the index is,
    for ``load_index_from_storage``; of an index in memory it is refused. No async method blocks
    the event loop.

    Nodes of documents have ids that depend on what the documents hold: the same script run twice
    stores nothing twice. Ids that you give to documents, or that a node parser of yours gives to
    nodes, stay.

    Args:
        nodes: what to index at once; what is blank is left out, with a warning.
        objects: ``IndexNode`` s; what they point to is kept in memory only.
        retriever: an opened :class:`lfm2_colbert_rag.Retriever`, or a
            :class:`lfm2_colbert_rag.Client` of a server; not together with the next two.
        path: the folder of the index, which is made where there is none and a model is named; in
            memory when left out.
        model: ``"nano"``, a hub id, a local folder or an encoder. An existing index knows its
            own; in memory the core's default when left out.
        index_options: how the index keeps texts, see :class:`lfm2_colbert_rag.IndexOptions`.
        transformations: what makes nodes of documents; LlamaIndex's settings when left out.
        callback_manager: receives LlamaIndex's callback events.
        show_progress: show a progress bar while documents are split.

    Example:
        >>> documents = [Document(text="The library opens at nine.", id_="rules")]
        >>> index = LFM2ColBERTIndex.from_documents(documents, model="hash")
        >>> index.as_retriever(similarity_top_k=1).retrieve("library")[0].node.ref_doc_id
        'rules'
        >>> index.refresh_ref_docs(documents)
        [False]
    """

    index_struct_cls = LFM2ColBERTStruct

    def __init__(
        self,
        nodes: Sequence[BaseNode] | None = None,
        objects: Sequence[IndexNode] | None = None,
        *,
        retriever: Core | None = None,
        path: str | Path | None = None,
        model: str | Path | Encoder | None = None,
        index_options: IndexOptions | None = None,
        transformations: list[TransformComponent] | None = None,
        callback_manager: CallbackManager | None = None,
        show_progress: bool = False,
    ) -> None:
        self._retriever = _open(retriever, path, model, index_options or {})
        super().__init__(
            index_struct=struct_of(self._retriever),
            storage_context=storage_of(self._retriever),
            transformations=transformations,
            callback_manager=callback_manager,
            show_progress=show_progress,
        )
        if transformations is not None:
            self._transformations = transformations  # also an empty list: documents stay whole
        self._strict = True
        self.insert_nodes([*(nodes or []), *(objects or [])])

    @classmethod
    def from_documents(  # type: ignore[override]
        cls,
        documents: Sequence[Document],
        *,
        path: str | Path | None = None,
        model: str | Path | Encoder | None = None,
        **options: Any,
    ) -> Self:
        """Split documents and index them, in place of what is there under the same ids.

        Args:
            documents: what to index.
            path: see the class.
            model: see the class.
            **options: other arguments of the class.

        Example:
            >>> documents = [Document(text="One apple."), Document(text="Two pears.")]
            >>> len(LFM2ColBERTIndex.from_documents(documents, model="hash").ref_doc_info)
            2
        """
        index = cls(path=path, model=model, **options)
        index._replace(documents)
        return index

    @classmethod
    def load(
        cls, path: str | Path, *, model: str | Path | Encoder | None = None, **options: Any
    ) -> Self:
        """Open an index on disk, whichever tool made it.

        Args:
            path: the folder.
            model: only to replace what the index remembers.
            **options: other arguments of the class; ``objects`` are inserted again.

        Raises:
            IndexNotFoundError: there is none.
        """
        return cls(retriever=Retriever.open(path, model=model), **options)

    def save(self, path: str | Path) -> None:
        """Write a copy into a new folder; an index on disk is saved anyway.

        Raises:
            ConfigError: the index is on a server, where its copies are made.
        """
        if not isinstance(self._retriever, Retriever):
            raise ConfigError("this index is on a server; make a copy there.")
        self._retriever.backup(path)

    @property
    def retriever(self) -> Core:
        """The core retriever that does the work; closing it is up to the caller."""
        return self._retriever

    @property
    def ref_doc_info(self) -> dict[str, RefDocInfo]:
        """The documents by id, each with its nodes and its metadata; reads the whole index."""
        documents: dict[str, RefDocInfo] = {}
        for passage in self._retriever.passages():
            id = source_of(passage)["id"]
            if id not in documents:
                node = to_node(passage)
                source = node.source_node
                metadata = node.metadata if source is None else source.metadata
                documents[id] = RefDocInfo(metadata=metadata)
            documents[id].node_ids.append(passage.id)
        return documents

    def as_retriever(self, **kwargs: Any) -> LFM2ColBERTRetriever:
        """Make a retriever over this index.

        Args:
            **kwargs: arguments of :class:`LFM2ColBERTRetriever`, such as ``similarity_top_k``,
                ``filters`` and ``vector_store_query_mode``.
        """
        options: dict[str, Any] = {
            "callback_manager": self._callback_manager,
            "object_map": self._object_map,
            **kwargs,
        }
        if not self._strict:
            known = inspect.signature(LFM2ColBERTRetriever).parameters
            options = {name: value for name, value in options.items() if name in known}
        return LFM2ColBERTRetriever(self._retriever, **options)

    def as_query_engine(self, llm: LLMType | None = None, **kwargs: Any) -> BaseQueryEngine:
        """Make a query engine over this index.

        Args:
            llm: what answers; LlamaIndex's settings when left out.
            **kwargs: arguments of :class:`LFM2ColBERTRetriever` and of ``RetrieverQueryEngine``.
        """
        return BaseIndex.as_query_engine(self._lenient(), llm, **kwargs)

    def as_chat_engine(
        self, chat_mode: ChatMode = ChatMode.BEST, llm: LLMType | None = None, **kwargs: Any
    ) -> BaseChatEngine:
        """Make a chat engine over this index.

        Args:
            chat_mode: which one.
            llm: what answers; LlamaIndex's settings when left out.
            **kwargs: arguments of :class:`LFM2ColBERTRetriever` and of the engine.
        """
        return BaseIndex.as_chat_engine(self._lenient(), chat_mode, llm, **kwargs)

    def insert_nodes(self, nodes: Sequence[BaseNode], **insert_kwargs: Any) -> None:
        """Add nodes in one commit, replacing those with the same id.

        Args:
            nodes: what to add; what is blank is left out, with a warning.
            **insert_kwargs: what other indexes take; ignored.
        """
        self._insert(nodes)

    def insert(self, document: Document, **insert_kwargs: Any) -> None:
        """Split a document and add its nodes; one that is there needs :meth:`update_ref_doc`.

        Args:
            document: what to add.
            **insert_kwargs: what other indexes take; ignored.
        """
        self._insert(self._split([document]))

    def delete_nodes(
        self, node_ids: list[str], delete_from_docstore: bool = False, **delete_kwargs: Any
    ) -> None:
        """Delete nodes in one commit.

        Args:
            node_ids: which ones; those that are not there are passed over.
            delete_from_docstore: there is none; ignored.
            **delete_kwargs: what other indexes take; ignored.
        """
        self._delete(node_ids)

    def delete_ref_doc(
        self, ref_doc_id: str, delete_from_docstore: bool = False, **delete_kwargs: Any
    ) -> None:
        """Delete the nodes of a document in one commit.

        Args:
            ref_doc_id: the document's id; nothing happens if it is not known.
            delete_from_docstore: there is none; ignored.
            **delete_kwargs: what other indexes take; ignored.
        """
        self.storage_context.vector_store.delete(ref_doc_id)

    def update_ref_doc(self, document: Document, **update_kwargs: Any) -> None:
        """Replace a document's nodes by those of its new version.

        The new ones are there before the old ones go.

        Args:
            document: the new version, under the same id.
            **update_kwargs: what other indexes take; ignored.
        """
        self._replace([document])

    def refresh_ref_docs(self, documents: Sequence[Document], **update_kwargs: Any) -> list[bool]:
        """Add documents that are new, and replace those whose text or metadata changed.

        Args:
            documents: new versions of some documents, or of all.
            **update_kwargs: what other indexes take; ignored.

        Returns:
            For each one, whether it was added or replaced.
        """
        documents = clean(documents)
        sources = map(source_of, self._retriever.passages(_stored_of(documents)))
        known = {source["id"]: source.get("hash") for source in sources}
        changed = [known.get(_id_of(document)) != document.hash for document in documents]
        self._replace([one for one, new in zip(documents, changed, strict=True) if new])
        return changed

    # The base class would encode on the event loop, and drop arguments.
    async def ainsert_nodes(self, nodes: Sequence[BaseNode], **insert_kwargs: Any) -> None:
        """Do what :meth:`insert_nodes` does without blocking the event loop."""
        await asyncio.to_thread(self.insert_nodes, nodes, **insert_kwargs)

    async def ainsert(self, document: Document, **insert_kwargs: Any) -> None:
        """Do what :meth:`insert` does without blocking the event loop."""
        await asyncio.to_thread(self.insert, document, **insert_kwargs)

    async def adelete_nodes(
        self, node_ids: list[str], delete_from_docstore: bool = False, **delete_kwargs: Any
    ) -> None:
        """Do what :meth:`delete_nodes` does without blocking the event loop."""
        await asyncio.to_thread(self.delete_nodes, node_ids)

    async def adelete_ref_doc(
        self, ref_doc_id: str, delete_from_docstore: bool = False, **delete_kwargs: Any
    ) -> None:
        """Do what :meth:`delete_ref_doc` does without blocking the event loop."""
        await asyncio.to_thread(self.delete_ref_doc, ref_doc_id)

    async def aupdate_ref_doc(self, document: Document, **update_kwargs: Any) -> None:
        """Do what :meth:`update_ref_doc` does without blocking the event loop."""
        await asyncio.to_thread(self.update_ref_doc, document)

    async def arefresh_ref_docs(
        self, documents: Sequence[Document], **update_kwargs: Any
    ) -> list[bool]:
        """Do what :meth:`refresh_ref_docs` does without blocking the event loop."""
        return await asyncio.to_thread(self.refresh_ref_docs, documents)

    def _split(self, documents: Sequence[Document]) -> list[BaseNode]:
        return split(documents, self._transformations, show_progress=self._show_progress)

    def _insert(self, nodes: Sequence[BaseNode], **insert_kwargs: Any) -> None:
        add_nodes(self._retriever, nodes)
        pointers = [node for node in nodes if isinstance(node, IndexNode) and node.obj is not None]
        self._object_map.update({node.index_id: node.obj for node in pointers})

    def _replace(self, documents: Sequence[Document]) -> None:
        if not documents:
            return
        nodes = self._split(documents)
        stale: set[str] = set()
        if len(self._retriever):
            stored = self._retriever.passages(_stored_of(documents))
            stale = {passage.id for passage in stored}
        self._insert(nodes)
        if gone := stale - {normalize("NFC", node.node_id) for node in nodes}:
            self._delete(sorted(gone))

    def _delete(self, node_ids: Sequence[str]) -> None:
        deleted = self._retriever.delete(node_ids)
        logger.info("Deleted %d nodes; %d are left.", deleted, len(self._retriever))

    def _lenient(self) -> LFM2ColBERTIndex:
        """Return this index with a retriever that passes over what is meant for an engine."""
        lenient = copy.copy(self)
        lenient._strict = False
        return lenient

    def _delete_node(self, node_id: str, **delete_kwargs: Any) -> None:
        self._delete([node_id])

    def _build_index_from_nodes(
        self, nodes: Sequence[BaseNode], **build_kwargs: Any
    ) -> LFM2ColBERTStruct:
        self._insert(nodes)
        return struct_of(self._retriever)


def _open(
    retriever: Core | None,
    path: str | Path | None,
    model: str | Path | Encoder | None,
    options: IndexOptions,
) -> Core:
    if retriever is not None:
        if path is not None or model is not None or options:
            raise ConfigError(
                "give either a retriever, or a path, a model and index_options to open one."
            )
        return retriever
    if path is None:
        return Retriever.from_texts([], model=model, **options)
    return Retriever.open(path, model=model, **options)


def _load(
    index_struct: LFM2ColBERTStruct, storage_context: StorageContext, **options: Any
) -> LFM2ColBERTIndex:
    """Open an index for LlamaIndex's ``load_index_from_storage``."""
    if not index_struct.path:
        raise ConfigError("the index was in memory, and is gone; only one on the disk is kept.")
    index = LFM2ColBERTIndex.load(index_struct.path, **options)
    index.set_index_id(index_struct.index_id)
    return index


def _id_of(document: Document) -> str:
    return normalize("NFC", document.id_)


def _stored_of(documents: Sequence[Document]) -> dict[str, Any]:
    """Match what is stored of documents."""
    return of_documents([document.id_ for document in documents])


register(_load)
