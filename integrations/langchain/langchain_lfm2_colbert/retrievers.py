"""The LangChain view of an ``lfm2_colbert_rag`` retriever.

Everything here is translation: of documents into passages, of options into a search, of hits into
documents. Encoding, storing, filtering and ranking happen in :class:`lfm2_colbert_rag.Retriever`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from langchain_core.callbacks import (
    AsyncCallbackManagerForRetrieverRun,
    CallbackManagerForRetrieverRun,
)
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever, LangSmithRetrieverParams
from pydantic import ConfigDict, Field, field_validator
from typing_extensions import Self

from lfm2_colbert_rag import Encoder, Hit, Retriever
from lfm2_colbert_rag.filters import parse_where

_CALL_OPTIONS = ("k", "score_threshold", "where")


class LFM2ColBERTRetriever(BaseRetriever):
    """Finds the passages that answer a question, in whichever language either is written.

    ``k``, ``where`` and ``score_threshold`` can be set here and replaced for one call:
    ``retriever.invoke(question, k=10, where={"lang": "de"})``, likewise with ``ainvoke``. Any
    other keyword is refused. ``ainvoke`` never blocks the event loop.

    Attributes:
        retriever: the opened :class:`lfm2_colbert_rag.Retriever` that does the work. Several
            adapters and threads may share one; closing it is up to whoever opened it.
        k: how many documents to return; fewer come back when fewer exist.
        where: metadata filter, applied before the best ``k`` are chosen, for example
            ``{"year": {"$gte": 2024}, "tags": {"$in": ["router", "modem"]}}``.
        score_threshold: drop documents whose relevance (0 to 1) is below this.
        score_key: metadata key under which a document's relevance (0 to 1) is returned; it
            replaces metadata of your own under that key. ``None`` adds no score, which
            ``MultiQueryRetriever`` needs: it merges documents that are equal, score included.
        id_key: metadata key under which a copy of ``Document.id`` is returned, for parts of
            LangChain that see metadata only (prompts, ``EnsembleRetriever``).

    Example:
        >>> retriever = LFM2ColBERTRetriever.from_texts(
        ...     ["The library opens at nine.", "The pool closes at noon."], ids=["lib", "pool"],
        ...     model="hash", k=1,
        ... )
        >>> retriever.invoke("When does the pool close?")[0].id
        'pool'
    """

    # The base class ignores unknown arguments, which turns ``top_k=9`` into a silent no-op.
    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    # A field, not a private attribute: ``configurable_fields`` rebuilds the object from its fields
    # on every call, and the loaded model has to survive that.
    retriever: Retriever = Field(exclude=True, repr=False)
    k: int = Field(default=4, gt=0)
    where: dict[str, Any] | None = None
    score_threshold: float | None = Field(default=None, ge=0, le=1)
    score_key: str | None = "relevance_score"
    id_key: str | None = None

    @field_validator("where")
    @classmethod
    def _check_where(cls, where: dict[str, Any] | None) -> dict[str, Any] | None:
        parse_where(where or {})  # a malformed filter is refused here, not at the first question
        return where

    @classmethod
    def from_texts(
        cls,
        texts: Iterable[str],
        metadatas: Iterable[Mapping[str, Any]] | None = None,
        *,
        ids: Iterable[str] | None = None,
        model: str | Path | Encoder | None = None,
        **options: Any,
    ) -> Self:
        """Index texts in memory.

        Args:
            texts: the passages.
            metadatas: one JSON object a passage.
            ids: one unique string a passage; generated when left out.
            model: ``"nano"``, a hub id, a local folder or an encoder; the core's default when
                left out.
            **options: fields of this class, such as ``k`` or ``where``.

        Returns:
            A retriever over those passages.

        Example:
            >>> cities = LFM2ColBERTRetriever.from_texts(
            ...     ["Paris is in France.", "Bonn is in Germany."],
            ...     [{"size": 2_100_000}, {"size": 330_000}],
            ...     model="hash", where={"size": {"$lt": 1_000_000}},
            ... )
            >>> [city.page_content for city in cities.invoke("Where is Paris?")]
            ['Bonn is in Germany.']
        """
        # Filled only once the options have been accepted: encoding may take hours.
        adapter = cls(retriever=Retriever.from_texts([], model=model), **options)
        adapter.retriever.add(
            list(texts),
            ids=None if ids is None else list(ids),
            metadata=None if metadatas is None else list(metadatas),
        )
        return adapter

    @classmethod
    def from_documents(
        cls,
        documents: Iterable[Document],
        *,
        model: str | Path | Encoder | None = None,
        **options: Any,
    ) -> Self:
        """Index documents in memory.

        Args:
            documents: what to index; ``Document.id`` is kept where there is one.
            model: as in :meth:`from_texts`.
            **options: fields of this class, such as ``k`` or ``where``.

        Returns:
            A retriever over those documents.

        Example:
            >>> document = Document("The library opens at nine.", id="lib")
            >>> retriever = LFM2ColBERTRetriever.from_documents([document], model="hash")
            >>> retriever.invoke("library")[0].id
            'lib'
        """
        adapter = cls(retriever=Retriever.from_texts([], model=model), **options)
        adapter.add_documents(documents)
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
            model: as in :meth:`from_texts`; an existing index remembers its own.
            create: make an empty index where there is none.
            **options: fields of this class, such as ``k`` or ``where``.

        Returns:
            A retriever over the passages on disk; what is added to it stays there.

        Example:
            >>> from tempfile import TemporaryDirectory
            >>> with TemporaryDirectory() as folder:
            ...     retriever = LFM2ColBERTRetriever.open(f"{folder}/my.index", model="hash")
            ...     ids = retriever.add_documents([Document("The library opens at nine.")])
            ...     found = retriever.invoke("library")
            ...     retriever.retriever.close()
            >>> found[0].page_content
            'The library opens at nine.'
        """
        retriever = Retriever.open(path, model=model, create=create)
        try:
            return cls(retriever=retriever, **options)
        except BaseException:
            retriever.close()
            raise

    def add_documents(self, documents: Iterable[Document]) -> list[str]:
        """Add documents, replacing those with the same ``id``; all of them or, on error, none.

        Args:
            documents: what to add; an id is generated for each one without.

        Returns:
            The ids, in order.

        Example:
            >>> retriever = LFM2ColBERTRetriever.from_texts([], model="hash")
            >>> retriever.add_documents([Document("The pool closes at noon.", id="pool")])
            ['pool']
        """
        documents = list(documents)
        has_ids = any(document.id is not None for document in documents)
        return self.retriever.add(
            [document.page_content for document in documents],
            ids=[document.id or uuid4().hex for document in documents] if has_ids else None,
            metadata=[document.metadata for document in documents],
        )

    def delete(self, ids: Sequence[str]) -> int:
        """Remove documents.

        Args:
            ids: which ones; ids that are not there are passed over.

        Returns:
            How many were removed.

        Example:
            >>> retriever = LFM2ColBERTRetriever.from_texts(["One."], ids=["1"], model="hash")
            >>> retriever.delete(["1", "2"])
            1
        """
        return self.retriever.delete(ids)

    # ``BaseRetriever`` forwards the keywords of ``invoke`` and ``ainvoke`` only if the *sync*
    # method names more than ``query`` and ``run_manager``, and then to both: hence ``**options``
    # twice.
    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun, **options: Any
    ) -> list[Document]:
        options = self._with_defaults(options)
        hits = self.retriever.search(query, options["k"], where=options["where"])
        return self._to_documents(hits, options["score_threshold"])

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun, **options: Any
    ) -> list[Document]:
        options = self._with_defaults(options)
        hits = await self.retriever.asearch(query, options["k"], where=options["where"])
        return self._to_documents(hits, options["score_threshold"])

    def _with_defaults(self, options: dict[str, Any]) -> dict[str, Any]:
        options.pop("verbose", None)  # ``invoke`` reads it, and forwards it all the same
        unknown = sorted(options.keys() - set(_CALL_OPTIONS))
        if unknown:
            raise TypeError(
                f"{type(self).__name__} got unexpected arguments for one call: "
                f"{', '.join(unknown)}; it takes {', '.join(_CALL_OPTIONS)}"
            )
        return {name: getattr(self, name) for name in _CALL_OPTIONS} | options

    def _to_documents(self, hits: Iterable[Hit], threshold: float | None) -> list[Document]:
        good = (hit for hit in hits if threshold is None or hit.relevance >= threshold)
        return [self._to_document(hit) for hit in good]

    def _to_document(self, hit: Hit) -> Document:
        # A hit's metadata is a fresh copy already, so callers may write into the document.
        metadata = dict(hit.metadata)
        if self.id_key is not None:
            metadata[self.id_key] = hit.id
        if self.score_key is not None:
            metadata[self.score_key] = hit.relevance
        return Document(id=hit.id, page_content=hit.text, metadata=metadata)

    def _get_ls_params(self, **kwargs: Any) -> LangSmithRetrieverParams:
        params = super()._get_ls_params(**kwargs)
        params["ls_vector_store_provider"] = "lfm2-colbert-rag"
        params["ls_embedding_provider"] = "lfm2-colbert-rag"
        params["ls_embedding_model"] = self.retriever.model
        return params
