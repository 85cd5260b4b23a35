"""A vector store, for the parts of LangChain that take nothing else.

``index()``, parent-document, multi-vector and self-query retrievers want a ``VectorStore``. It is
the same index that :class:`~langchain_lfm2_colbert.LFM2ColBERTRetriever` searches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Self, TypeAlias, Unpack

from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.runnables import run_in_executor
from langchain_core.vectorstores import VectorStore

from lfm2_colbert_rag import Encoder, Hit, IndexOptions, Mode, Retriever
from lfm2_colbert_rag.errors import ConfigError

from ._documents import Shape, add_documents, document_of, to_document

Filter: TypeAlias = "dict[str, Any] | Callable[[Document], bool]"
"""A filter in the core's language, or a function of a document."""

_PLAIN = Shape()


class LFM2ColBERTVectorStore(VectorStore):
    """Stores passages as token vectors, and finds them by late interaction.

    There is no ``Embeddings`` object: those make one vector a text, late interaction needs one a
    token. The model belongs to the index; ``embedding`` must be ``None`` wherever LangChain asks
    for it. Metadata come back as they were added, without scores. No method blocks the event loop.

    Args:
        retriever: the opened :class:`lfm2_colbert_rag.Retriever` that does the work. Several
            adapters and threads may share one; closing it is up to whoever opened it.

    Example:
        >>> store = LFM2ColBERTVectorStore.from_texts(
        ...     ["The library opens at nine.", "The pool closes at noon."], ids=["lib", "pool"],
        ...     model="hash",
        ... )
        >>> store.similarity_search("When does the pool close?", k=1)[0].id
        'pool'
    """

    def __init__(self, retriever: Retriever) -> None:
        self._retriever = retriever

    # What the methods below do not know they refuse, where the base class would take anything.

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

        Example:
            >>> from tempfile import TemporaryDirectory
            >>> with TemporaryDirectory() as folder:
            ...     store = LFM2ColBERTVectorStore.open(f"{folder}/my.index", model="hash")
            ...     ids = store.add_texts(["The library opens at nine."], ids=["lib"])
            ...     store.retriever.close()
            >>> ids
            ['lib']
        """
        return cls(Retriever.open(path, model=model, **options))

    @classmethod
    def from_texts(  # type: ignore[override]
        cls,
        texts: Iterable[str],
        embedding: Embeddings | None = None,
        metadatas: Sequence[dict[str, Any]] | None = None,
        *,
        ids: Sequence[str | None] | None = None,
        path: str | Path | None = None,
        model: str | Path | Encoder | None = None,
        **options: Unpack[IndexOptions],
    ) -> Self:
        """Index texts.

        Args:
            texts: the passages.
            embedding: ``None``; the parameter is there because LangChain has it.
            metadatas: one JSON object a passage.
            ids: one unique string a passage; made up where there is none.
            path: the folder of the index, which is made where there is none and a model is named;
                in memory when left out.
            model: see :meth:`open`; in memory the core's default when left out.
            **options: see :meth:`open`.

        Raises:
            ConfigError: an embedding was passed.

        Example:
            >>> store = LFM2ColBERTVectorStore.from_texts(["One.", "Two."], model="hash")
            >>> len(store.similarity_search("one"))
            2
        """
        if embedding is not None:
            raise ConfigError(
                f"embedding is a {type(embedding).__name__}, which makes one vector a text; late "
                "interaction needs one a token. Pass embedding=None, and choose the model with "
                'model=, for example model="nano".'
            )
        opened = (
            Retriever.from_texts([], model=model, **options)
            if path is None
            else Retriever.open(path, model=model, **options)
        )
        store = cls(opened)
        try:
            store.add_texts(texts, None if metadatas is None else list(metadatas), ids=ids)
        except BaseException:
            opened.close()
            raise
        return store

    @classmethod
    def from_documents(
        cls, documents: list[Document], embedding: Embeddings | None = None, **kwargs: Any
    ) -> Self:
        """Index documents; ``Document.id`` is kept where there is one.

        Args:
            documents: what to index.
            embedding: ``None``; the parameter is there because LangChain has it.
            **kwargs: ``path`` and ``model``, see :meth:`from_texts`.

        Example:
            >>> document = Document("The library opens at nine.", id="lib")
            >>> store = LFM2ColBERTVectorStore.from_documents([document], model="hash")
            >>> store.get_by_ids(["lib"])[0].page_content
            'The library opens at nine.'
        """
        return super().from_documents(documents, embedding, **kwargs)  # type: ignore[arg-type]

    @property
    def retriever(self) -> Retriever:
        """The core retriever that does the work."""
        return self._retriever

    @property
    def embeddings(self) -> None:
        """Nothing: the model belongs to the index."""
        return None

    def add_texts(  # type: ignore[override]
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: Sequence[str | None] | None = None,
        batch_size: int | None = None,
    ) -> list[str]:
        """Add texts in one commit, replacing those with the same id.

        Args:
            texts: the passages.
            metadatas: one JSON object a passage.
            ids: one unique string a passage; made up where there is none.
            batch_size: not needed, since memory is bounded anyway; LangChain passes it.

        Returns:
            The ids, in order.

        Raises:
            InputError: something in the input is wrong; nothing was changed.

        Example:
            >>> store = LFM2ColBERTVectorStore.from_texts([], model="hash")
            >>> store.add_texts(["Open at nine."], [{"day": "Monday"}], ids=["hours"])
            ['hours']
        """
        texts = list(texts)
        if metadatas is None:
            metadatas = [{} for _ in texts]
        if len(metadatas) != len(texts):
            raise ConfigError(f"{len(metadatas)} metadatas for {len(texts)} texts; give one each.")
        documents = [
            Document(text, metadata=metadata)
            for text, metadata in zip(texts, metadatas, strict=True)
        ]
        return self.add_documents(documents, ids=ids, batch_size=batch_size)

    def add_documents(  # type: ignore[override]
        self,
        documents: list[Document],
        *,
        ids: Sequence[str | None] | None = None,
        batch_size: int | None = None,
    ) -> list[str]:
        """Add documents in one commit, replacing those with the same id.

        Args:
            documents: what to add.
            ids: their ids, instead of those they have; made up where there is none.
            batch_size: see :meth:`add_texts`.

        Returns:
            The ids, in order.

        Raises:
            InputError: something in the input is wrong; nothing was changed.
        """
        return add_documents(self._retriever, list(documents), ids)

    def delete(  # type: ignore[override]
        self,
        ids: Sequence[str] | None = None,
        *,
        filter: Filter | None = None,  # noqa: A002 - LangChain's name for it
    ) -> bool | None:
        """Delete documents in one commit.

        Args:
            ids: which ones; those that are not there are passed over. Without ids and filter,
                all of them, as the base class has it.
            filter: delete what matches instead.

        Returns:
            True.
        """
        if ids is None:
            self._retriever.delete(where=self._where(filter) or {})
        elif filter is not None:
            raise ConfigError("delete takes either ids or a filter; give only one of them.")
        else:
            self._retriever.delete(list(ids))
        return True

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """Return documents by id, in the order asked; ids that are not there are passed over.

        Example:
            >>> store = LFM2ColBERTVectorStore.from_texts(["One."], ids=["1"], model="hash")
            >>> store.add_texts(["Two."], ids=["2"])
            ['2']
            >>> [document.page_content for document in store.get_by_ids(["2", "3", "1"])]
            ['Two.', 'One.']
        """
        found = {one.id: one for one in self._retriever.passages({"$id": {"$in": list(ids)}})}
        return [document_of(found[id]) for id in ids if id in found]

    def similarity_search(  # type: ignore[override]
        self,
        query: str,
        k: int = 4,
        *,
        filter: Filter | None = None,  # noqa: A002
        score_threshold: float | None = None,
        mode: Mode | None = None,
    ) -> list[Document]:
        """Find the documents that answer a question best.

        Args:
            query: the question, in any language of the model.
            k: how many; fewer come back when fewer match.
            filter: metadata filter, applied before the best ``k`` are chosen, such as
                ``{"year": {"$gte": 2024}}``; or a function of a document, which is asked about
                every one that is stored and therefore slow.
            score_threshold: drop documents whose relevance (0 to 1) is below this.
            mode: ``"late"`` (meanings), ``"lexical"`` (words) or ``"hybrid"``; None leaves it to
                the core.

        Returns:
            Documents, best first.

        Raises:
            InputError: a blank query, a k below 1, or a malformed filter.
        """
        hits = self._search(query, k, filter, mode, score_threshold)
        return [to_document(query, hit, _PLAIN) for hit in hits]

    def similarity_search_with_score(
        self,
        query: str,
        k: int = 4,
        *,
        filter: Filter | None = None,  # noqa: A002
        score_threshold: float | None = None,
        mode: Mode | None = None,
    ) -> list[tuple[Document, float]]:
        """Find documents with their scores, which compare within one question only.

        Args:
            query: see :meth:`similarity_search`, as for all others.
            k: how many.
            filter: metadata filter.
            score_threshold: a relevance, as elsewhere.
            mode: what is compared.

        Returns:
            Documents with their MaxSim score, best first; more is better.
        """
        hits = self._search(query, k, filter, mode, score_threshold)
        return [(to_document(query, hit, _PLAIN), hit.score) for hit in hits]

    def max_marginal_relevance_search(  # type: ignore[override]
        self,
        query: str,
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        *,
        filter: Filter | None = None,  # noqa: A002
        mode: Mode | None = None,
    ) -> list[Document]:
        """Find documents that answer a question and do not say the same.

        Two documents are as alike as the tokens of each find in the other: the mean of the best
        cosines, both ways. That is the measure of relevance, so the two can be weighed.

        Args:
            query: see :meth:`similarity_search`.
            k: how many to return.
            fetch_k: how many of the best to choose from.
            lambda_mult: 1 looks at relevance only, 0 at diversity only.
            filter: metadata filter.
            mode: what is compared with the question.

        Returns:
            Documents, in the order in which they were chosen; the best comes first.

        Raises:
            ConfigError: a ``lambda_mult`` that is no number from 0 to 1.
        """
        if not 0 <= lambda_mult <= 1:
            raise ConfigError(
                "lambda_mult must lie between 0 (diversity only) and 1 (relevance only), not "
                f"{lambda_mult!r}."
            )
        hits = self._retriever.search(
            query,
            k,
            where=self._where(filter),
            mode=mode,
            diversity=1 - lambda_mult,
            fetch_k=max(k, fetch_k),
        )
        return [to_document(query, hit, _PLAIN) for hit in hits]

    def _similarity_search_with_relevance_scores(
        self, query: str, k: int = 4, **kwargs: Any
    ) -> list[tuple[Document, float]]:
        # Not by a function of the score, which grows with the number of the question's tokens.
        hits = self._search(query, k, kwargs.pop("filter", None), kwargs.pop("mode", None))
        if kwargs:
            raise TypeError(
                f"{type(self).__name__} got unexpected arguments for one search: "
                f"{', '.join(sorted(kwargs))}; it takes filter, mode and score_threshold"
            )
        return [(to_document(query, hit, _PLAIN), hit.relevance) for hit in hits]

    async def _asimilarity_search_with_relevance_scores(
        self, query: str, k: int = 4, **kwargs: Any
    ) -> list[tuple[Document, float]]:
        return await run_in_executor(
            None, self._similarity_search_with_relevance_scores, query, k, **kwargs
        )

    def _search(
        self,
        query: str,
        k: int,
        wanted: Filter | None,
        mode: Mode | None,
        score_threshold: float | None = None,
    ) -> list[Hit]:
        hits = self._retriever.search(query, k, where=self._where(wanted), mode=mode)
        return [hit for hit in hits if score_threshold is None or hit.relevance >= score_threshold]

    def _where(self, wanted: Filter | None) -> dict[str, Any] | None:
        if not callable(wanted):
            return wanted
        passages = self._retriever.passages()
        return {"$id": {"$in": [one.id for one in passages if wanted(document_of(one))]}}
