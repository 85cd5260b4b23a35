"""The LangChain view of an ``lfm2_colbert_rag`` retriever.

Everything here is translation: of documents into passages, of options into a search, of hits into
documents. Encoding, storing, filtering and ranking happen in :class:`lfm2_colbert_rag.Retriever`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TypeAlias, cast

from langchain_core.callbacks import (
    AsyncCallbackManager,
    AsyncCallbackManagerForRetrieverRun,
    CallbackManager,
    CallbackManagerForRetrieverRun,
)
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever, LangSmithRetrieverParams
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import get_config_list
from pydantic import ConfigDict, Field, field_validator

from lfm2_colbert_rag import Client, Encoder, Hit, Mode, Retriever
from lfm2_colbert_rag.filters import parse_where, settled

from ._batching import Options, options_of_each, search_each
from ._core import Core, split_client_options
from ._documents import Shape, add_documents, add_texts, delete, split_options, to_document
from ._questions import K, Threshold, above, check_count, check_threshold, find

Answer: TypeAlias = "list[Document] | Exception"
Item: TypeAlias = tuple[str, RunnableConfig, Options]

_CALL_OPTIONS = ("k", "score_threshold", "where", "mode", "evidence")


class LFM2ColBERTRetriever(BaseRetriever):
    """Finds the passages that answer a question, in whichever language either is written.

    ``k``, ``where``, ``score_threshold``, ``mode`` and ``evidence`` can be set here and replaced
    for one call: ``retriever.invoke(question, k=10, where={"lang": "de"})``, likewise with
    ``ainvoke``. Any other keyword is refused. ``ainvoke`` never blocks the event loop, and
    ``batch`` encodes all questions in one pass.

    Attributes:
        retriever: the opened :class:`lfm2_colbert_rag.Retriever` that does the work, or a
            :class:`lfm2_colbert_rag.Client` of a server that does. Several adapters and threads may
            share one; closing it is up to whoever opened it.
        k: how many documents to return; fewer come back when fewer exist.
        where: metadata filter, applied before the best ``k`` are chosen, for example
            ``{"year": {"$gte": 2024}, "tags": {"$in": ["router", "modem"]}}``.
        score_threshold: drop documents whose relevance (0 to 1) is below this.
        score_key: metadata key under which a document's relevance (0 to 1) is returned, such as
            ``"relevance_score"``; it replaces metadata of your own under that key. ``None`` adds no
            score: documents come back as they were added, whatever the question was, so that
            ``MultiQueryRetriever`` and others that merge equal documents find them equal.
        id_key: metadata key under which a copy of ``Document.id`` is returned, for parts of
            LangChain that see metadata only (prompts, ``EnsembleRetriever``).
        window_key: metadata key that says which part of a long text was found, as characters
            ``[start, end)``; it is absent where the text was searched in one piece.
        evidence: list under ``"evidence"`` in the metadata which words of the passage answered
            which words of the question: ``{"query": [0, 4], "passage": [9, 13], "strength": 0.8,
            "words": ["open", "opens"]}``, strongest first.
        mode: what is compared: ``"late"`` (meanings), ``"lexical"`` (words) or ``"hybrid"``;
            ``None`` leaves it to the core.

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
    retriever: Core = Field(exclude=True, repr=False)
    k: K = Field(default=4, gt=0)
    where: dict[str, Any] | None = None
    score_threshold: Threshold = Field(default=None, ge=0, le=1)
    score_key: str | None = None
    id_key: str | None = None
    window_key: str | None = None
    evidence: bool = False
    mode: Mode | None = None

    @field_validator("where")
    @classmethod
    def _check_where(cls, where: dict[str, Any] | None) -> dict[str, Any] | None:
        fixed: dict[str, Any] | None = settled(where)
        parse_where(fixed or {})  # a malformed filter is refused here, not at the first question
        return fixed

    @classmethod
    def from_texts(
        cls,
        texts: Iterable[str],
        metadatas: Iterable[Mapping[str, Any]] | None = None,
        *,
        ids: Iterable[str | None] | None = None,
        model: str | Path | Encoder | None = None,
        **options: Any,
    ) -> Self:
        """Index texts in memory.

        Args:
            texts: the passages.
            metadatas: one mapping a passage; see :meth:`lfm2_colbert_rag.Retriever.add`.
            ids: one string a passage; where there is none, it follows from text and metadata.
            model: ``"nano"``, a hub id, a local folder or an encoder; the core's default when
                left out.
            **options: fields of this class, such as ``k`` or ``where``, and options of the index,
                such as ``storage`` (see :class:`lfm2_colbert_rag.IndexOptions`).

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
        of_index, own = split_options(options)
        adapter = cls(retriever=Retriever.from_texts([], model=model, **of_index), **own)
        add_texts(adapter.retriever, texts, metadatas, ids)
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
            **options: fields of this class, such as ``k`` or ``where``, and options of the index,
                such as ``storage`` (see :class:`lfm2_colbert_rag.IndexOptions`).

        Returns:
            A retriever over those documents.

        Example:
            >>> document = Document("The library opens at nine.", id="lib")
            >>> retriever = LFM2ColBERTRetriever.from_documents([document], model="hash")
            >>> retriever.invoke("library")[0].id
            'lib'
        """
        of_index, own = split_options(options)
        adapter = cls(retriever=Retriever.from_texts([], model=model, **of_index), **own)
        adapter.add_documents(documents)
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
            **options: fields of this class, such as ``k`` or ``where``, and options of the index,
                such as ``storage`` (see :class:`lfm2_colbert_rag.IndexOptions`).

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
        of_index, own = split_options(options)
        retriever = Retriever.open(path, model=model, **of_index)
        try:
            return cls(retriever=retriever, **own)
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
            **options: fields of this class, such as ``k`` or ``where``, and options of
                :class:`lfm2_colbert_rag.Client`, such as ``timeout`` or ``verify``.

        Returns:
            A retriever over the passages there. Nothing is sent until it is asked.

        Example:
            >>> retriever = LFM2ColBERTRetriever.connect(
            ...     "https://search.example.org", "lcb_...", index="support", k=3
            ... )
            >>> retriever.invoke("When does the pool close?")  # doctest: +SKIP
            [Document(id='pool', ...)]
        """
        of_client, own = split_client_options(options)
        client = Client(url, api_key, index=index, **of_client)
        try:
            return cls(retriever=client, **own)
        except BaseException:
            client.close()
            raise

    def add_documents(self, documents: Iterable[Document]) -> list[str]:
        """Add documents, replacing those with the same ``id``; all of them or, on error, none.

        A server takes 1,000 in one commit: those of commits before an error stay.

        Args:
            documents: what to add. The id of one without follows from its text and metadata, so
                that what is added twice is stored once. Blank ones are left out, with a warning.

        Returns:
            The ids, in order, also of those that were left out.

        Raises:
            InputError: something in the input is wrong; nothing was changed.

        Example:
            >>> retriever = LFM2ColBERTRetriever.from_texts([], model="hash")
            >>> retriever.add_documents([Document("The pool closes at noon.", id="pool")])
            ['pool']
        """
        return add_documents(self.retriever, documents)

    def delete(
        self,
        ids: Iterable[str] | None = None,
        *,
        where: dict[str, Any] | None = None,
        all: bool = False,  # noqa: A002 - the core's name for it
    ) -> int:
        """Remove documents in one commit, all of them only where that is said.

        Args:
            ids: which ones; ids that are not there are passed over.
            where: or what matches this filter.
            all: or every document.

        Returns:
            How many were removed; the log has it, too.

        Raises:
            ConfigError: none of them was given, or more than one, or a filter without conditions.

        Example:
            >>> retriever = LFM2ColBERTRetriever.from_texts(["One."], ids=["1"], model="hash")
            >>> retriever.delete(["1", "2"])
            1
        """
        return delete(self.retriever, ids, where, all=all, filter_name="where")

    # ``BaseRetriever`` forwards the keywords of ``invoke`` and ``ainvoke`` only if the *sync*
    # method names more than ``query`` and ``run_manager``, and then to both: hence ``**options``
    # twice.
    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun, **options: Any
    ) -> list[Document]:
        options = self._with_defaults(options)
        hits = find(self.retriever, query, **self._search_options(options))
        return self._to_documents(query, hits, options)

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun, **options: Any
    ) -> list[Document]:
        # Evidence is worked out along with the documents, so that belongs in the thread as well.
        return await asyncio.to_thread(
            self._get_relevant_documents, query, run_manager=run_manager.get_sync(), **options
        )

    def batch(
        self,
        inputs: list[str],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[list[Document]]:
        """Answer several questions, encoded in one pass.

        Args:
            inputs: the questions.
            config: one for all, or one for each.
            return_exceptions: give back the error in place of what it spoilt.
            **kwargs: options of a call, see the class; a list holds one value for each question.

        Returns:
            Documents for each question, in order.

        Example:
            >>> retriever = LFM2ColBERTRetriever.from_texts(["One.", "Two."], model="hash")
            >>> [len(found) for found in retriever.batch(["one", "two"], k=[1, 2])]
            [1, 2]
        """
        items = self._items(inputs, config, kwargs)
        runs = [
            CallbackManager.configure(**self._callback_options(one, own)).on_retriever_start(
                None, query, name=one.get("run_name") or self.get_name(), run_id=one.get("run_id")
            )
            for query, one, own in items
        ]
        answers = self._answer(items)
        for run, answer in zip(runs, answers, strict=True):
            if isinstance(answer, Exception):
                run.on_retriever_error(answer)
            else:
                run.on_retriever_end(answer)
        return _settled(answers, return_exceptions)

    async def abatch(
        self,
        inputs: list[str],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[list[Document]]:
        """Do what :meth:`batch` does without blocking the event loop."""
        items = self._items(inputs, config, kwargs)
        runs = [
            await AsyncCallbackManager.configure(
                **self._callback_options(one, own)
            ).on_retriever_start(
                None, query, name=one.get("run_name") or self.get_name(), run_id=one.get("run_id")
            )
            for query, one, own in items
        ]
        answers = await asyncio.to_thread(self._answer, items)
        for run, answer in zip(runs, answers, strict=True):
            if isinstance(answer, Exception):
                await run.on_retriever_error(answer)
            else:
                await run.on_retriever_end(answer)
        return _settled(answers, return_exceptions)

    def _items(
        self,
        inputs: Sequence[str],
        config: RunnableConfig | list[RunnableConfig] | None,
        options: Mapping[str, Any],
    ) -> list[Item]:
        configs = get_config_list(config, len(inputs))
        return list(zip(inputs, configs, options_of_each(options, len(inputs)), strict=True))

    def _callback_options(self, config: RunnableConfig, options: Options) -> dict[str, Any]:
        """Return what ``invoke`` of the base class configures callbacks with."""
        return {
            "inheritable_callbacks": config.get("callbacks"),
            "verbose": options.get("verbose", False),
            "inheritable_tags": config.get("tags"),
            "local_tags": self.tags,
            "inheritable_metadata": {
                **(config.get("metadata") or {}),
                **self._get_ls_params(**options),
            },
            "local_metadata": self.metadata,
        }

    def _answer(self, items: Sequence[Item]) -> list[Answer]:
        answers: list[Answer] = [[] for _ in items]
        asked: dict[int, Options] = {}
        for place, (_, _, own) in enumerate(items):
            try:
                asked[place] = self._with_defaults(dict(own))
            except (TypeError, ValueError) as error:
                answers[place] = error
        queries = [items[place][0] for place in asked]
        found = search_each(
            self.retriever, queries, [self._search_options(own) for own in asked.values()]
        )
        for place, query, hits in zip(asked, queries, found, strict=True):
            answers[place] = (
                hits
                if isinstance(hits, Exception)
                else self._to_documents(query, hits, asked[place])
            )
        return answers

    def _with_defaults(self, options: dict[str, Any]) -> dict[str, Any]:
        options.pop("verbose", None)  # ``invoke`` reads it, and forwards it all the same
        unknown = sorted(options.keys() - set(_CALL_OPTIONS))
        if unknown:
            raise TypeError(
                f"{type(self).__name__} got unexpected arguments for one call: "
                f"{', '.join(unknown)}; it takes {', '.join(_CALL_OPTIONS)}"
            )
        chosen = {name: getattr(self, name) for name in _CALL_OPTIONS} | options
        checked = {
            "k": check_count(chosen["k"]),
            "where": settled(chosen["where"]),
            "score_threshold": check_threshold(chosen["score_threshold"]),
        }
        return chosen | checked

    def _search_options(self, options: Mapping[str, Any]) -> Options:
        """Pick what the core's ``search`` is told."""
        names = ["k", "where", "mode"]
        if isinstance(self.retriever, Client):  # which would have to ask for it afterwards
            names.append("evidence")
        return {name: options[name] for name in names}

    def _to_documents(
        self, query: str, hits: Iterable[Hit], options: Mapping[str, Any]
    ) -> list[Document]:
        shape = Shape(self.id_key, self.score_key, self.window_key, options["evidence"])
        return [to_document(query, hit, shape) for hit in above(hits, options["score_threshold"])]

    def _get_ls_params(self, **kwargs: Any) -> LangSmithRetrieverParams:
        params = super()._get_ls_params(**kwargs)
        params["ls_vector_store_provider"] = "lfm2-colbert-rag"
        params["ls_embedding_provider"] = "lfm2-colbert-rag"
        params["ls_embedding_model"] = self.retriever.model
        return params


def _settled(answers: Sequence[Answer], return_exceptions: bool) -> list[list[Document]]:
    for answer in answers:
        if isinstance(answer, Exception) and not return_exceptions:
            raise answer
    return cast("list[list[Document]]", list(answers))
