"""A vector store, for the parts of LangChain that take nothing else.

``index()``, parent-document, multi-vector and self-query retrievers want a ``VectorStore``. It is
the same index that :class:`~langchain_lfm2_colbert.LFM2ColBERTRetriever` searches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Self, TypeAlias, Unpack

from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.runnables import run_in_executor
from langchain_core.vectorstores import VectorStore, VectorStoreRetriever

from lfm2_colbert_rag import Client, Encoder, Hit, IndexOptions, Mode, Retriever
from lfm2_colbert_rag.errors import ConfigError
from lfm2_colbert_rag.filters import settled

from ._core import Core
from ._documents import (
    Shape,
    add_documents,
    add_texts,
    delete,
    document_of,
    get_documents,
    to_document,
)
from ._questions import check_count, check_share, check_threshold, find

Filter: TypeAlias = "dict[str, Any] | Callable[[Document], bool]"
"""A filter in the core's language, or a function of a document."""

_PLAIN = Shape()


class LFM2ColBERTVectorStore(VectorStore):
    """Stores passages as token vectors, and finds them by late interaction.

    There is no ``Embeddings`` object: those make one vector a text, late interaction needs one a
    token. The model belongs to the index; ``embedding`` must be ``None`` wherever LangChain asks
    for it. Metadata come back as they were added, without scores. No method blocks the event loop.

    Args:
        retriever: the opened :class:`lfm2_colbert_rag.Retriever` that does the work, or a
            :class:`lfm2_colbert_rag.Client` of a server that does. Several adapters and threads may
            share one; closing it is up to whoever opened it.

    Example:
        >>> store = LFM2ColBERTVectorStore.from_texts(
        ...     ["The library opens at nine.", "The pool closes at noon."], ids=["lib", "pool"],
        ...     model="hash",
        ... )
        >>> store.similarity_search("When does the pool close?", k=1)[0].id
        'pool'
    """

    def __init__(self, retriever: Core) -> None:
        if not isinstance(retriever, Core):
            raise ConfigError(
                "LFM2ColBERTVectorStore takes a lfm2_colbert_rag.Retriever or Client, as adapters "
                f"have under .retriever, not a {type(retriever).__name__}."
            )
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
            >>> LFM2ColBERTVectorStore.connect("https://search.example.org", "lcb_...").retriever
            <Client https://search.example.org>
        """
        return cls(Client(url, api_key, index=index, **options))

    @classmethod
    def from_texts(  # type: ignore[override]
        cls,
        texts: Iterable[str],
        embedding: Embeddings | None = None,
        metadatas: Iterable[Mapping[str, Any] | None] | None = None,
        *,
        ids: Iterable[str | None] | None = None,
        path: str | Path | None = None,
        model: str | Path | Encoder | None = None,
        **options: Unpack[IndexOptions],
    ) -> Self:
        """Index texts.

        Args:
            texts: the passages.
            embedding: ``None``; the parameter is there because LangChain has it.
            metadatas: one mapping a passage.
            ids: see :meth:`add_texts`: indexed again, the same texts are stored once.
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
        return cls._made(
            embedding,
            path,
            model,
            options,
            lambda store: store.add_texts(texts, metadatas, ids=ids),
        )

    @classmethod
    def from_documents(  # type: ignore[override]
        cls,
        documents: Iterable[Document],
        embedding: Embeddings | None = None,
        *,
        ids: Iterable[str | None] | None = None,
        path: str | Path | None = None,
        model: str | Path | Encoder | None = None,
        **options: Unpack[IndexOptions],
    ) -> Self:
        """Index documents; run again on the same ``path``, it stores nothing twice.

        Args:
            documents: what to index.
            embedding: ``None``; the parameter is there because LangChain has it.
            ids: see :meth:`add_documents`.
            path: see :meth:`from_texts`.
            model: see :meth:`from_texts`.
            **options: see :meth:`open`.

        Example:
            >>> document = Document("The library opens at nine.", id="lib")
            >>> store = LFM2ColBERTVectorStore.from_documents([document], model="hash")
            >>> store.get_by_ids(["lib"])[0].page_content
            'The library opens at nine.'
        """
        return cls._made(
            embedding, path, model, options, lambda store: store.add_documents(documents, ids=ids)
        )

    @classmethod
    async def afrom_documents(
        cls, documents: Iterable[Document], embedding: Embeddings | None = None, **kwargs: Any
    ) -> Self:
        """Do what :meth:`from_documents` does without blocking the event loop."""
        return await run_in_executor(None, cls.from_documents, documents, embedding, **kwargs)

    @classmethod
    def _made(
        cls,
        embedding: object,
        path: str | Path | None,
        model: str | Path | Encoder | None,
        options: IndexOptions,
        fill: Callable[[Self], object],
    ) -> Self:
        if embedding is not None:
            raise ConfigError(
                f"embedding is a {type(embedding).__name__}, which makes one vector a text; late "
                "interaction needs one a token. Pass embedding=None, and choose the model with "
                'model=, for example model="nano".'
            )
        store = cls(
            Retriever.from_texts([], model=model, **options)
            if path is None
            else Retriever.open(path, model=model, **options)
        )
        try:
            fill(store)
        except BaseException:
            store.retriever.close()
            raise
        return store

    @property
    def retriever(self) -> Core:
        """The core retriever that does the work."""
        return self._retriever

    @property
    def embeddings(self) -> None:
        """Nothing: the model belongs to the index."""
        return None

    def add_texts(  # type: ignore[override]
        self,
        texts: Iterable[str],
        metadatas: Iterable[Mapping[str, Any] | None] | None = None,
        *,
        ids: Iterable[str | None] | None = None,
        batch_size: int | None = None,
    ) -> list[str]:
        """Add texts in one commit (on a server, 1,000 in each), replacing those with the same id.

        Args:
            texts: the passages. Blank ones are left out, with a warning.
            metadatas: one mapping a passage; what it may hold, and what becomes of it, says
                :meth:`lfm2_colbert_rag.Retriever.add`.
            ids: one string a passage. Where there is none, it follows from text and metadata, so
                that what is added twice is stored once.
            batch_size: not needed, since memory is bounded anyway; LangChain passes it.

        Returns:
            The ids, in order, also of those that were left out.

        Raises:
            InputError: something in the input is wrong; nothing was changed.

        Example:
            >>> store = LFM2ColBERTVectorStore.from_texts([], model="hash")
            >>> store.add_texts(["Open at nine."], [{"day": "Monday"}], ids=["hours"])
            ['hours']
        """
        return add_texts(self._retriever, texts, metadatas, ids)

    def add_documents(  # type: ignore[override]
        self,
        documents: Iterable[Document],
        *,
        ids: Iterable[str | None] | None = None,
        batch_size: int | None = None,
        current_time: object = None,
    ) -> list[str]:
        """Add documents in one commit (on a server, 1,000 in each), replacing the same ids.

        Args:
            documents: what to add. Blank ones are left out, with a warning.
            ids: their ids, instead of those they have; see :meth:`add_texts`.
            batch_size: see :meth:`add_texts`.
            current_time: not needed; ``TimeWeightedVectorStoreRetriever`` passes it on.

        Returns:
            The ids, in order, also of those that were left out.

        Raises:
            InputError: something in the input is wrong; nothing was changed.
        """
        return add_documents(self._retriever, documents, ids)

    def delete(  # type: ignore[override]
        self,
        ids: Iterable[str] | None = None,
        *,
        filter: Filter | None = None,  # noqa: A002 - LangChain's name for it
        all: bool = False,  # noqa: A002 - the core's name for it
    ) -> bool | None:
        """Delete documents in one commit, all of them only where that is said.

        Args:
            ids: which ones; those that are not there are passed over, and ``[]`` deletes none.
            filter: or what matches this.
            all: or every document. The base class has it that no ids mean all of them; here that
                is an error, since ids may be missing by mistake.

        Returns:
            True; how many were deleted is in the log.

        Raises:
            ConfigError: none of them was given, or more than one, or a filter without conditions.

        Example:
            >>> store = LFM2ColBERTVectorStore.from_texts(["One."], model="hash")
            >>> store.delete(all=True)
            True
        """
        where = self._where(filter)
        delete(self._retriever, ids, where, all=all, filter_name="filter")
        return True

    def get_by_ids(self, ids: Iterable[str], /) -> list[Document]:
        """Return documents by id, in the order asked; ids that are not there are passed over.

        Example:
            >>> store = LFM2ColBERTVectorStore.from_texts(["One."], ids=["1"], model="hash")
            >>> store.add_texts(["Two."], ids=["2"])
            ['2']
            >>> [document.page_content for document in store.get_by_ids(["2", "3", "1"])]
            ['Two.', 'One.']
        """
        return get_documents(self._retriever, ids)

    def as_retriever(self, **kwargs: Any) -> VectorStoreRetriever:
        """Make a retriever of LangChain's own over this store.

        Args:
            **kwargs: ``search_type`` (``"similarity"``, ``"mmr"``, or
                ``"similarity_score_threshold"``) and ``search_kwargs``, the options of that search.

        Raises:
            ConfigError: a ``score_threshold`` that is no number from 0 to 1.

        Example:
            >>> store = LFM2ColBERTVectorStore.from_texts(["One.", "Two."], model="hash")
            >>> store.as_retriever(search_kwargs={"k": 1}).invoke("two")[0].page_content
            'Two.'
        """
        options = dict(kwargs.pop("search_kwargs", None) or {})
        if "score_threshold" in options:
            # The base class takes floats only, whatever they are, and no other number.
            options["score_threshold"] = check_threshold(options["score_threshold"])
        if "filter" in options and not callable(options["filter"]):
            options["filter"] = settled(options["filter"])
        return super().as_retriever(search_kwargs=options, **kwargs)

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
            Documents, best first. To a blank query those that match the filter, in the order in
            which they were added and with a relevance of 0; without a filter none.

        Raises:
            InputError: a k below 1, or a malformed filter.
            ConfigError: a ``score_threshold`` that is no number from 0 to 1.
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
        weight = check_share(lambda_mult, "lambda_mult", "0 diversity only, 1 relevance only")
        hits = find(
            self._retriever,
            query,
            k,
            where=self._where(filter),
            mode=mode,
            diversity=1 - weight,
            fetch_k=max(check_count(k), check_count(fetch_k, "fetch_k")),
        )
        return [to_document(query, hit, _PLAIN) for hit in hits]

    def similarity_search_with_relevance_scores(  # type: ignore[override]
        self,
        query: str,
        k: int = 4,
        *,
        filter: Filter | None = None,  # noqa: A002
        score_threshold: float | None = None,
        mode: Mode | None = None,
    ) -> list[tuple[Document, float]]:
        """Find documents with their relevance, from 0 to 1.

        Args:
            query: see :meth:`similarity_search`, as for all others.
            k: how many.
            filter: metadata filter.
            score_threshold: leave out documents whose relevance is below this.
            mode: what is compared.

        Returns:
            Documents with their relevance, best first.
        """
        # Not by a function of the score, as the base class has it: that grows with the number of
        # the question's tokens.
        hits = self._search(query, k, filter, mode, score_threshold)
        return [(to_document(query, hit, _PLAIN), hit.relevance) for hit in hits]

    async def asimilarity_search_with_relevance_scores(
        self, query: str, k: int = 4, **kwargs: Any
    ) -> list[tuple[Document, float]]:
        """Do what :meth:`similarity_search_with_relevance_scores` does in a thread."""
        return await run_in_executor(
            None, self.similarity_search_with_relevance_scores, query, k, **kwargs
        )

    def _search(
        self,
        query: str,
        k: int,
        wanted: Filter | None,
        mode: Mode | None,
        score_threshold: float | None = None,
    ) -> list[Hit]:
        return find(
            self._retriever,
            query,
            k,
            where=self._where(wanted),
            mode=mode,
            score_threshold=score_threshold,
        )

    def _where(self, wanted: Filter | None) -> dict[str, Any] | None:
        if not callable(wanted):
            return wanted
        passages = self._retriever.passages()
        return {"$id": {"$in": [one.id for one in passages if wanted(document_of(one))]}}
